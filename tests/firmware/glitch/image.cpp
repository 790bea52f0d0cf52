#include "tests/firmware/glitch/image.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

#include <cxxabi.h>
#include <elf.h>

namespace tests::glitch {
namespace {

[[nodiscard]] std::string demangle(const char* name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text{
        abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free};
    return status == 0 ? text.get() : name;
}

template <class T>
[[nodiscard]] T take(const std::vector<std::uint8_t>& bytes, std::size_t at) {
    T out;
    if (at > bytes.size() || sizeof out > bytes.size() - at) {
        throw std::runtime_error{"the image is cut short"};
    }
    std::memcpy(&out, bytes.data() + at, sizeof out);
    return out;
}

[[nodiscard]] std::vector<std::uint8_t> content(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    if (!in) throw std::runtime_error{path + " cannot be read"};
    return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

Image::Image(const std::string& path) : path_{path} {
    const auto bytes = content(path);
    const auto header = take<Elf32_Ehdr>(bytes, 0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_ARM) {
        throw std::runtime_error{path + " is no image of a Cortex-M"};
    }
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        const auto part = take<Elf32_Phdr>(bytes, header.e_phoff + i * sizeof(Elf32_Phdr));
        if (part.p_type != PT_LOAD || part.p_filesz == 0) continue;
        code_.resize(std::max<std::size_t>(code_.size(), part.p_paddr + part.p_filesz));
        std::copy_n(bytes.begin() + part.p_offset, part.p_filesz, code_.begin() + part.p_paddr);
    }
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        const auto section = take<Elf32_Shdr>(bytes, header.e_shoff + i * sizeof(Elf32_Shdr));
        if (section.sh_type != SHT_SYMTAB) continue;
        const auto names =
            take<Elf32_Shdr>(bytes, header.e_shoff + section.sh_link * sizeof(Elf32_Shdr));
        for (std::size_t at = 0; at < section.sh_size; at += sizeof(Elf32_Sym)) {
            const auto symbol = take<Elf32_Sym>(bytes, section.sh_offset + at);
            const char* name =
                reinterpret_cast<const char*>(bytes.data()) + names.sh_offset + symbol.st_name;
            symbols_.emplace(name, symbol.st_value);
            if (ELF32_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size == 0) continue;
            const std::uint32_t begin = symbol.st_value & ~1U;  // bit 0 says Thumb
            functions_[begin] = {begin, begin + symbol.st_size, demangle(name)};
        }
    }
    if (functions_.empty()) throw std::runtime_error{path + " has no symbols"};
}

std::uint32_t Image::symbol(const std::string& name) const {
    const auto found = symbols_.find(name);
    if (found == symbols_.end()) throw std::runtime_error{path_ + " has no symbol " + name};
    return found->second;
}

const Function* Image::function_at(std::uint32_t address) const {
    auto after = functions_.upper_bound(address);
    if (after == functions_.begin()) return nullptr;
    const Function& function = std::prev(after)->second;
    return address < function.end ? &function : nullptr;
}

std::string Image::place(std::uint32_t address) const {
    const Function* function = function_at(address);
    if (function == nullptr) return "?";
    // Without the parameters: they are long, and the address is printed as well.
    std::string name = function->name;
    const auto anonymous = name.find("(anonymous namespace)::");
    if (anonymous != std::string::npos)
        name.erase(anonymous, std::strlen("(anonymous namespace)::"));
    return name.substr(0, name.find('(')) + "+" + std::to_string(address - function->begin);
}

std::vector<std::string> Image::lines(std::uint32_t address) const {
    char command[512];
    std::snprintf(command, sizeof command, "arm-none-eabi-addr2line -iCfe '%s' 0x%x 2>/dev/null",
                  path_.c_str(), address);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe{::popen(command, "r"), ::pclose};
    std::vector<std::string> out;
    char line[1024];
    for (bool is_place = false; pipe && std::fgets(line, sizeof line, pipe.get()) != nullptr;
         is_place = !is_place) {
        if (!is_place) continue;
        // The tree's own names: what comes before them is somebody's directory.
        const std::string text{line, std::strcspn(line, " \n")};
        for (const char* room : {"/firmware/", "/protocol/", "/crypto/"}) {
            const auto at = text.rfind(room);
            if (at == std::string::npos) continue;
            out.push_back(text.substr(at + 1));
            break;
        }
    }
    return out;
}

}  // namespace tests::glitch
