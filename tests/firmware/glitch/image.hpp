#pragma once
// The card's image as a file: what is loaded, which functions it has, where a line of source is.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tests::glitch {

struct Function {
    std::uint32_t begin = 0, end = 0;
    std::string name;  ///< demangled
};

class Image {
public:
    /// Throws std::runtime_error when there is no such file, or it is no image of a Cortex-M.
    explicit Image(const std::string& path);

    [[nodiscard]] const std::string& path() const { return path_; }
    /// From address 0 on, as the image's own memory holds it.
    [[nodiscard]] const std::vector<std::uint8_t>& code() const { return code_; }
    [[nodiscard]] std::uint32_t code_end() const { return symbol("code_end"); }
    /// By its linker name. Throws when the image has none.
    [[nodiscard]] std::uint32_t symbol(const std::string& name) const;
    /// Null outside every function.
    [[nodiscard]] const Function* function_at(std::uint32_t address) const;
    [[nodiscard]] const std::map<std::uint32_t, Function>& functions() const { return functions_; }
    /// Function+offset.
    [[nodiscard]] std::string place(std::uint32_t address) const;
    /// file:line in the tree, the innermost first, then where it was inlined. Empty without debug
    /// information or addr2line.
    [[nodiscard]] std::vector<std::string> lines(std::uint32_t address) const;

private:
    std::string path_;
    std::vector<std::uint8_t> code_;
    std::map<std::uint32_t, Function> functions_;  // by begin
    std::map<std::string, std::uint32_t> symbols_;
};

}  // namespace tests::glitch
