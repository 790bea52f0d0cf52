#pragma once
#include "crypto/core/secret.hpp"

namespace crypto {

/// A source of random bytes, passed to whoever needs one. The card's comes from its chip, a host's
/// from crypto/random/system_random.hpp, a rehearsal's from crypto/random/seeded_random.hpp. A
/// source that cannot deliver refuses when it is made, or stops the program; it never returns weak
/// bytes.
class Random {
public:
    virtual void fill(MutableBytes out) = 0;

protected:
    Random() = default;
    Random(const Random&) = default;
    Random& operator=(const Random&) = default;
    ~Random() =
        default;  // not virtual: the card has no heap, and nobody owns a source by its interface
};

}  // namespace crypto
