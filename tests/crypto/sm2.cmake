# The same cases on every engine: on this machine the façade is the host's.
foreach(engine sm2 sm2_portable sm2_card)
    onecard_test(crypto_${engine}_test SOURCES sm2_test.cpp LABELS crypto sm2 LINK onecard::crypto_${engine})
endforeach()
