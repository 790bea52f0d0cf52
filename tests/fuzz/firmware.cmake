# Fuzz targets of what runs on the card.
onecard_fuzz(fuzz_store SOURCES store_fuzz.cpp LINK onecard::tearing_flash)
onecard_fuzz(fuzz_card SOURCES card_fuzz.cpp LINK onecard::issuing)
onecard_fuzz(fuzz_card_session SOURCES card_session_fuzz.cpp LINK onecard::issuing)
