# Formats in which keys travel: docs/key_blocks.md, docs/calculator.md.
onecard_test(crypto_key_block_test SOURCES key_block_test.cpp LABELS crypto keys
    LINK onecard::crypto_formats onecard::crypto_random)
