#pragma once
// An identifier is not an integer: each kind has its own type, with comparison and nothing else.
#include <compare>

namespace protocol {

template <class Value, class Name>
class Strong {
public:
    constexpr Strong() : value_{} {}
    explicit constexpr Strong(Value value) : value_{value} {}
    [[nodiscard]] constexpr const Value& value() const { return value_; }
    friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

private:
    Value value_;
};

}  // namespace protocol
