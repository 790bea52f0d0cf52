#pragma once
// Marks the few values that come from secrets and may be acted on: a candidate that is thrown away,
// a result that is published. It does nothing, except in the constant-time tests, where every byte
// of a secret is "undefined" to valgrind and this is the only way to make a value defined again
// (tests/crypto/sm2_constant_time.cpp).
#if defined(ONECARD_CONSTANT_TIME_CHECK)
#include <valgrind/memcheck.h>
#endif

namespace crypto::sm2 {

template <class Plain>
constexpr void declassify([[maybe_unused]] const Plain& object) {
#if defined(ONECARD_CONSTANT_TIME_CHECK)
    VALGRIND_MAKE_MEM_DEFINED(&object, sizeof object);
#endif
}

}  // namespace crypto::sm2
