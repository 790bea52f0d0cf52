# The same cases on both engines: on this machine the façade is the host's, the other target is the card's.
onecard_test(crypto_sm2_test SOURCES sm2_test.cpp LABELS crypto sm2 LINK onecard::crypto_sm2)
onecard_test(crypto_sm2_card_test SOURCES sm2_test.cpp LABELS crypto sm2 LINK onecard::crypto_sm2_card)
