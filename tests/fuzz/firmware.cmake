# Fuzz targets of what runs on the card.
onecard_fuzz(fuzz_store SOURCES store_fuzz.cpp LINK onecard::tearing_flash)
if(ONECARD_FUZZ)
    # Chips under attack that know what must hold of them.
    onecard_library(watched_chips
        SOURCES support/secrets.cpp support/stock.cpp support/watched_chip.cpp support/issued_chip.cpp
                support/watched_purse.cpp support/watched_sam.cpp support/watched_blank.cpp
        PUBLIC onecard::issuing)
endif()
onecard_fuzz(fuzz_card SOURCES card_fuzz.cpp LINK onecard::watched_chips)
onecard_fuzz(fuzz_card_session SOURCES card_session_fuzz.cpp LINK onecard::watched_chips)
onecard_fuzz(fuzz_personalisation SOURCES personalisation_fuzz.cpp LINK onecard::watched_chips)
