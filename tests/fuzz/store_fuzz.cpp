// Damage in the flash, then commands: a store that mounts answers by name, never reads outside,
// stays usable; and one that does not mount stays shut. The input is a list of (address, byte) to
// damage a real image with, then of things to do.
#include <array>

#include "firmware/kernel/file_system.hpp"
#include "tests/firmware/support/tearing_flash.hpp"

namespace {

using firmware::FileHandle;
using firmware::FileIdentifier;
using firmware::FileSystem;
using firmware::FileType;
using firmware::ObjectId;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;
using tests::TearingFlash;

template <class T>
void must(const protocol::Outcome<T>& done) {
    if (!done) __builtin_trap();
}

TearingFlash make_card() {
    TearingFlash flash{64};
    must(Store::format(flash, {1, 2, 3, 4, 5, 6, 7, 8}));
    Store store{flash};
    must(store.mount());
    FileSystem files{store};
    Transaction change;
    must(files.create_master(
        change, {.identifier = firmware::master_file_identifier, .type = FileType::dedicated}));
    must(store.commit(change, Urgency::ordinary));
    for (std::uint16_t i = 0; i < 4; ++i) {
        constexpr std::array types{FileType::transparent, FileType::linear_variable,
                                   FileType::cyclic, FileType::key_file};
        firmware::FileDescription wanted{.identifier = FileIdentifier{static_cast<uint16_t>(i + 1)},
                                         .type = types[i]};
        wanted.size = 40;
        wanted.record_count = 4;
        must(files.create(change, firmware::master_file, wanted));
        must(store.commit(change, Urgency::ordinary));
    }
    for (int i = 0; i < 60; ++i) {
        const std::array<std::uint8_t, 40> record{static_cast<std::uint8_t>(i), 0xFF};
        must(files.append_record(change, FileHandle{3}, firmware::Access::internal(), record));
        must(change.put(ObjectId{40}, record));
        must(store.commit(change, Urgency::ordinary));
        must(store.tick(ObjectId{41}));
    }
    return flash;
}

void use(Store& store, protocol::Bytes actions) {
    FileSystem files{store};
    constexpr auto inside = firmware::Access::internal();
    std::array<std::uint8_t, 255> out{};
    for (const std::uint8_t action : actions) {
        const FileHandle file{static_cast<std::uint8_t>(action >> 3)};
        Transaction change;
        switch (action & 7) {
            case 0: (void)files.read_binary(file, inside, action, out); break;
            case 1: (void)files.read_record(file, inside, action & 3, out); break;
            case 2: (void)files.append_record(change, file, inside, {out.data(), 40}); break;
            case 3: (void)files.update_binary(change, file, inside, 1, {out.data(), 9}); break;
            case 4: (void)store.tick(ObjectId{41}); break;
            case 5: (void)store.housekeeping_step(); break;
            case 6: (void)files.select(file, FileIdentifier{3}); break;
            default: (void)files.find_record(file, inside, {out.data(), 1}); break;
        }
        (void)store.commit(change, Urgency::ordinary);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const TearingFlash card = make_card();
    TearingFlash flash = card;
    std::size_t at = 0;
    for (; at + 3 <= size && data[at] != 0xFF; at += 3) {
        const auto address = static_cast<std::uint32_t>((data[at] << 8 | data[at + 1]) % 65536);
        for (unsigned bit = 0; bit < 8; ++bit) {
            if ((data[at + 2] >> bit & 1) != 0) flash.flip(address, bit);
        }
    }
    flash.allow_reprogramming();  // damage can make a written unit look erased
    Store store{flash};
    if (!store.mount()) {
        Transaction change;
        (void)change.put(ObjectId{40}, {data, 0});
        if (store.commit(change, Urgency::tap)) __builtin_trap();
        return 0;
    }
    use(store, protocol::Bytes{data, size}.subspan(at));
    flash.reboot();
    (void)store.mount();
    return 0;
}
