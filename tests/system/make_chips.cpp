// Writes the images of an issued and loaded transit card and of an issued SAM, with keys that tests
// know, as onecard-card opens them:   make_chips DIRECTORY   ->   DIRECTORY/card.nvm (30.00 yuan),
// DIRECTORY/sam.nvm
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/firmware/support/issuing.hpp"
#include "tests/firmware/support/terminal.hpp"

namespace {

void write_image(tests::Chip& chip, const std::filesystem::path& path) {
    auto& flash = chip.flash();
    using namespace firmware::flash_model;
    std::vector<std::uint8_t> image(flash.page_count() * page_size);
    flash.read(0, image);
    // The rest of a chip's memory, as the chip maker left it.
    image.resize(page_count_default * page_size, erased_byte);
    std::ofstream file{path, std::ios::binary};
    file.write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_chips DIRECTORY\n";
        return 2;
    }
    const std::filesystem::path directory{argv[1]};
    auto card = tests::issued_card();
    tests::load(card, 3000);
    write_image(card, directory / "card.nvm");
    auto sam = tests::issued_sam();
    write_image(sam, directory / "sam.nvm");
    return 0;
}
