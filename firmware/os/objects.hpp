#pragma once
// The ids of everything that the operating system and its applications keep in the object store
// outside files. firmware/kernel/store.hpp gives us 32..191.
#include "firmware/kernel/store.hpp"

namespace firmware::objects {

constexpr ObjectId chip{32};                 ///< ChipInfo: serial, life cycle, transport key's kind
constexpr ObjectId transport_key{33};        ///< masked; gone after ACTIVATE
constexpr ObjectId transport_key_tries{34};  ///< counter

constexpr std::uint8_t key_slot_count = 48;
constexpr std::uint16_t key_first = 64;         ///< masked: firmware/os/keys.hpp
constexpr std::uint16_t key_tries_first = 112;  ///< counters, one for each slot
constexpr std::uint16_t state_first = 160;      ///< four for each application instance
constexpr std::uint16_t state_end = 192;
constexpr std::uint8_t states_per_instance = 4;
constexpr std::uint8_t instance_count = (state_end - state_first) / states_per_instance;

static_assert(key_first + key_slot_count <= key_tries_first);
static_assert(key_tries_first + key_slot_count <= state_first);
static_assert(state_end <= file_object_first && chip.value() >= application_object_first);

/// Object `which` of an application instance: its meaning belongs to the application.
[[nodiscard]] constexpr ObjectId state(std::uint8_t instance, std::uint8_t which) {
    return ObjectId{
        static_cast<std::uint16_t>(state_first + instance * states_per_instance + which)};
}

}  // namespace firmware::objects
