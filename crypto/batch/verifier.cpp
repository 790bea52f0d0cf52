#include "crypto/batch/verifier.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "crypto/batch/kernels.hpp"
#include "crypto/batch/wipe_stack.hpp"
#include "crypto/core/secret.hpp"

namespace crypto::batch {
namespace {

template <class Record>
consteval bool fits(const RecordShape& shape, std::size_t input_offset, std::size_t input_size,
                    std::size_t key_offset, std::size_t mac_offset) {
    return shape.size == sizeof(Record) && shape.input_offset == input_offset &&
           shape.input_size == input_size && shape.key_offset == key_offset &&
           shape.mac_offset == mac_offset;
}
static_assert(fits<TacRecord>(tac_shape, offsetof(TacRecord, input), sizeof(TacRecord::input),
                              offsetof(TacRecord, key), offsetof(TacRecord, tac)));
static_assert(fits<PurchaseMacRecord>(purchase_mac_shape, offsetof(PurchaseMacRecord, input),
                                      sizeof(PurchaseMacRecord::input),
                                      offsetof(PurchaseMacRecord, key),
                                      offsetof(PurchaseMacRecord, mac)));
static_assert(offsetof(TacRecord, card_factor) == 0);
static_assert(offsetof(PurchaseMacRecord, card_factor) == 0);
static_assert(offsetof(PurchaseMacRecord, process_seed) == 8);

LaneKernel kernel(Sm4Form form) {
#if defined(ONECARD_BATCH_X86)
    switch (form) {
        case Sm4Form::portable: break;
        case Sm4Form::avx2_aes: return {32, sm4_avx2_aes};
        case Sm4Form::avx2_gfni: return {32, sm4_avx2_gfni};
        case Sm4Form::avx512_gfni: return {64, sm4_avx512_gfni};
    }
#else
    static_cast<void>(form);
#endif
    return {128, sm4_portable};
}

LaneKernel kernel(DesForm form) {
#if defined(ONECARD_BATCH_X86)
    switch (form) {
        case DesForm::portable: break;
        case DesForm::avx2: return {256, des_avx2};
        case DesForm::avx512: return {512, des_avx512};
    }
#else
    static_cast<void>(form);
#endif
    return {128, des_portable};
}

/// One call, seen by every thread of it.
struct Task {
    const IssuerKeyTable& keys;
    const RecordShape& shape;
    const std::uint8_t* records;
    std::size_t count;
    Forms forms;
    std::uint64_t* genuine;  ///< outcomes are wanted, or
    Mac* macs;               ///< MACs are; the other is null

    [[nodiscard]] const std::uint8_t* record(std::size_t index) const {
        return records + index * shape.size;
    }
    [[nodiscard]] IssuerKeyIndex key_of(std::size_t index) const {
        std::uint16_t value = 0;
        std::memcpy(&value, record(index) + shape.key_offset, sizeof value);
        return IssuerKeyIndex{value};
    }
};

/// Sorts the records of one thread into full vectors. SM4 records wait with others of their issuer
/// key, whose round keys are then ready-made; the few that remain of each key share vectors at the
/// end. 3DES records need no company of their own: their issuer keys go into the lanes with them.
class Worker {
public:
    explicit Worker(const Task& task)
        : task_{task}, sm4_{kernel(task.forms.sm4)}, des_{kernel(task.forms.des)} {
        // Short batches would only spread thin over the keys.
        if (task.count >= 4 * sm4_.lanes) {
            waiting_ =
                std::make_unique_for_overwrite<std::uint32_t[]>(task.keys.size() * sm4_.lanes);
            waiting_count_.resize(task.keys.size());
        }
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() {
        wipe({scratch_.get(), scratch_size});
        wipe_object(macs_);
    }

    /// Records `begin` to `end`; true unless one of them names a key that is not in the table.
    [[nodiscard]] bool take(std::size_t begin, std::size_t end) {
        while (begin < end) {
            const IssuerKeyIndex key = task_.key_of(begin);
            if (!task_.keys.contains(key)) return false;
            const bool is_sm4 = task_.keys.name(key).suite == protocol::Suite::sm4;
            const LaneKernel& kernel = is_sm4 ? sm4_ : des_;
            const std::size_t alike = count_alike(begin, std::min(end, begin + kernel.lanes), key);
            if (alike == kernel.lanes) {
                run_neighbours(kernel, begin, task_.keys.expanded(key), is_sm4);
            } else if (is_sm4) {
                for (std::size_t i = 0; i < alike; ++i) wait_for_sm4(begin + i, key);
            } else {
                for (std::size_t i = 0; i < alike; ++i) wait_for_des(begin + i);
            }
            begin += alike;
        }
        return true;
    }

    /// Computes what still waits.
    void finish() {
        for (std::size_t key = 0; key < waiting_count_.size(); ++key) {
            const std::uint32_t* waiting = waiting_.get() + key * sm4_.lanes;
            for (std::size_t i = 0; i < waiting_count_[key]; ++i) {
                mixed_[mixed_count_++] = waiting[i];
                if (mixed_count_ == sm4_.lanes) run_mixed();
            }
        }
        if (mixed_count_ != 0) run_mixed();
        if (des_count_ != 0) run_des();
    }

private:
    /// Records from `begin` on, up to `end`, under this key, which is the first one's.
    [[nodiscard]] std::size_t count_alike(std::size_t begin, std::size_t end,
                                          IssuerKeyIndex key) const {
        std::size_t stop = begin + 1;
        while (stop < end && task_.key_of(stop) == key) ++stop;
        return stop - begin;
    }

    void wait_for_sm4(std::size_t index, IssuerKeyIndex key) {
        if (!waiting_) {
            mixed_[mixed_count_++] = static_cast<std::uint32_t>(index);
            if (mixed_count_ == sm4_.lanes) run_mixed();
            return;
        }
        std::uint32_t* waiting = waiting_.get() + key.value() * sm4_.lanes;
        std::uint8_t& count = waiting_count_[key.value()];
        waiting[count++] = static_cast<std::uint32_t>(index);
        if (count != sm4_.lanes) return;
        run_listed(sm4_, waiting, sm4_.lanes, &task_.keys.expanded(key));
        count = 0;
    }

    void wait_for_des(std::size_t index) {
        des_waiting_[des_count_++] = static_cast<std::uint32_t>(index);
        if (des_count_ == des_.lanes) run_des();
    }

    void run_des() {
        run_listed(des_, des_waiting_, des_count_, nullptr);
        des_count_ = 0;
    }

    void run_mixed() {
        const IssuerKeyIndex key = task_.key_of(mixed_[0]);
        const bool alike = std::all_of(mixed_, mixed_ + mixed_count_, [&](std::uint32_t index) {
            return task_.key_of(index) == key;
        });
        run_listed(sm4_, mixed_, mixed_count_, alike ? &task_.keys.expanded(key) : nullptr);
        mixed_count_ = 0;
    }

    /// A whole vector of records as they lie, all under `key`.
    void run_neighbours(const LaneKernel& kernel, std::size_t first, const ExpandedIssuerKey& key,
                        bool is_sm4) {
        const std::uint8_t* record = task_.record(first);
        const std::size_t size = task_.shape.size;
        for (std::size_t lane = 0; lane < kernel.lanes; ++lane, record += size) {
            records_[lane] = record;
        }
        if (!is_sm4) std::fill_n(masters_, kernel.lanes, key.master.data());
        compute(kernel, is_sm4 ? &key : nullptr);
        if (task_.genuine == nullptr) {
            std::memcpy(task_.macs + first, macs_, kernel.lanes * sizeof(Mac));
            return;
        }
        for (std::size_t lane = 0; lane < kernel.lanes; lane += 32) {
            mark_neighbours(first + lane, lane);
        }
    }

    /// `shared` is the one issuer key of all these records, or null where each lane brings its own.
    void run_listed(const LaneKernel& kernel, const std::uint32_t* indexes, std::size_t count,
                    const ExpandedIssuerKey* shared) {
        for (std::size_t lane = 0; lane < kernel.lanes; ++lane) {
            const std::uint32_t index = indexes[lane < count ? lane : 0];
            records_[lane] = task_.record(index);
            if (!shared) masters_[lane] = task_.keys.expanded(task_.key_of(index)).master.data();
        }
        compute(kernel, shared);
        if (task_.genuine != nullptr) {
            mark_listed(indexes, count);
        } else {
            for (std::size_t lane = 0; lane < count; ++lane) {
                std::memcpy(task_.macs[indexes[lane]].data(), macs_[lane], sizeof(Mac));
            }
        }
    }

    void compute(const LaneKernel& kernel, const ExpandedIssuerKey* shared) {
        kernel.compute({.has_process_seed = &task_.shape == &purchase_mac_shape,
                        .records = records_,
                        .masters = masters_,
                        .round_keys = shared ? shared->round_keys.data() : nullptr,
                        .affine_round_keys = shared ? shared->affine_round_keys.data() : nullptr,
                        .scratch = scratch_.get(),
                        .macs = macs_});
    }

    void mark_listed(const std::uint32_t* indexes, std::size_t count) {
        const std::size_t offset = task_.shape.mac_offset;
        std::uint64_t* genuine = task_.genuine;
        for (std::size_t lane = 0; lane < count; ++lane) {
            genuine[indexes[lane] / 64] |= is_equal(lane, offset) << (indexes[lane] % 64);
        }
    }

    /// Outcomes of the 32 records from `first` on, which lie in the lanes from `lane` on. They may
    /// belong to two words.
    void mark_neighbours(std::size_t first, std::size_t lane) {
        const std::size_t offset = task_.shape.mac_offset;
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < 32; ++i) bits |= is_equal(lane + i, offset) << i;
        const std::size_t shift = first % 64;
        task_.genuine[first / 64] |= bits << shift;
        if (shift > 32) task_.genuine[first / 64 + 1] |= bits >> (64 - shift);
    }

    /// 1 if the MAC of this lane is the one received. Not secret: it is the answer.
    [[nodiscard]] std::uint64_t is_equal(std::size_t lane, std::size_t mac_offset) const {
        std::uint32_t computed = 0;
        std::uint32_t received = 0;
        std::memcpy(&computed, macs_[lane], sizeof computed);
        std::memcpy(&received, records_[lane] + mac_offset, sizeof received);
        return std::uint64_t{computed == received};
    }

    struct FreeAligned {
        void operator()(std::uint8_t* bytes) const {
            ::operator delete[](bytes, std::align_val_t{64});
        }
    };

    const Task& task_;
    LaneKernel sm4_;
    LaneKernel des_;
    std::unique_ptr<std::uint32_t[]> waiting_;  // sm4_.lanes record indexes per key
    std::vector<std::uint8_t> waiting_count_;   // per key
    std::uint32_t mixed_[most_lanes];
    std::size_t mixed_count_ = 0;
    std::uint32_t des_waiting_[most_lanes];
    std::size_t des_count_ = 0;
    const std::uint8_t* records_[most_lanes];
    const std::uint8_t* masters_[most_lanes];
    std::uint8_t macs_[most_lanes][4];
    std::unique_ptr<std::uint8_t, FreeAligned> scratch_{
        static_cast<std::uint8_t*>(::operator new[](scratch_size, std::align_val_t{64}))};
};

/// A thread takes this many records at a time: a multiple of 64, so that no outcome word has two
/// writers.
constexpr std::size_t share = 32768;

bool run_shares(Worker& worker, const Task& task, std::atomic<std::size_t>& next) {
    while (true) {
        const std::size_t begin = next.fetch_add(share, std::memory_order_relaxed);
        if (begin >= task.count) break;
        if (!worker.take(begin, std::min(task.count, begin + share))) return false;
    }
    worker.finish();
    return true;
}

struct Helper {
    explicit Helper(const Task& task) : worker{task} {}
    Worker worker;
    std::jthread thread;  // ends before its worker
};

/// Everything is allocated before any thread starts: std::bad_alloc leaves from here, with no
/// outcome set, or not at all.
bool run_threads(const Task& task, unsigned threads) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> complete{true};
    const auto work = [&](Worker& worker) {
        if (!run_shares(worker, task, next)) complete = false;
        wipe_stack();  // kernels spill round keys there
    };
    {
        const std::size_t useful = std::min<std::size_t>(threads, (task.count + share - 1) / share);
        Worker own{task};
        std::list<Helper> helpers;
        for (std::size_t i = 1; i < useful; ++i) helpers.emplace_back(task);
        try {
            for (Helper& helper : helpers)
                helper.thread = std::jthread{work, std::ref(helper.worker)};
        } catch (const std::system_error&) {
            // No more threads to be had: those we have do all the work.
        } catch (const std::bad_alloc&) {
            // The same.
        }
        work(own);
    }
    return complete;
}

bool is_available(const Forms& forms) {
    return batch::is_available(forms.sm4) && batch::is_available(forms.des);
}

/// Room for `room` results; `clear` empties them all.
template <class Clear>
std::expected<void, BatchRefusal> run_task(const Task& task, bool has_room, unsigned threads,
                                           const Clear& clear) {
    clear();
    if (!has_room) return std::unexpected{BatchRefusal::output_too_small};
    if (!is_available(task.forms)) return std::unexpected{BatchRefusal::form_unavailable};
    if (task.count > std::numeric_limits<std::uint32_t>::max()) {
        return std::unexpected{BatchRefusal::too_many_records};
    }
    if (task.count == 0) return {};
    if (run_threads(task, threads)) return {};
    clear();
    return std::unexpected{BatchRefusal::key_unknown};
}

template <class Record>
std::expected<void, BatchRefusal> verify(const IssuerKeyTable& keys,
                                         std::span<const Record> records, const RecordShape& shape,
                                         std::span<std::uint64_t> genuine,
                                         const BatchOptions& options) {
    const Task task{.keys = keys,
                    .shape = shape,
                    .records = reinterpret_cast<const std::uint8_t*>(records.data()),
                    .count = records.size(),
                    .forms = options.forms,
                    .genuine = genuine.data(),
                    .macs = nullptr};
    return run_task(task, genuine.size() >= outcome_words(records.size()), options.threads,
                    [&] { std::ranges::fill(genuine, 0); });
}

template <class Record>
std::expected<void, BatchRefusal> compute(const IssuerKeyTable& keys,
                                          std::span<const Record> records, const RecordShape& shape,
                                          std::span<Mac> macs, const BatchOptions& options) {
    const Task task{.keys = keys,
                    .shape = shape,
                    .records = reinterpret_cast<const std::uint8_t*>(records.data()),
                    .count = records.size(),
                    .forms = options.forms,
                    .genuine = nullptr,
                    .macs = macs.data()};
    return run_task(task, macs.size() >= records.size(), options.threads,
                    [&] { std::ranges::fill(macs, Mac{}); });
}

}  // namespace

const char* name(BatchRefusal refusal) {
    switch (refusal) {
        case BatchRefusal::output_too_small: return "output_too_small";
        case BatchRefusal::form_unavailable: return "form_unavailable";
        case BatchRefusal::too_many_records: return "too_many_records";
        case BatchRefusal::key_unknown: return "key_unknown";
    }
    return "unknown";
}

std::expected<void, BatchRefusal> verify_tacs(const IssuerKeyTable& keys,
                                              std::span<const TacRecord> records,
                                              std::span<std::uint64_t> genuine,
                                              const BatchOptions& options) {
    return verify(keys, records, tac_shape, genuine, options);
}

std::expected<void, BatchRefusal> verify_purchase_macs(const IssuerKeyTable& keys,
                                                       std::span<const PurchaseMacRecord> records,
                                                       std::span<std::uint64_t> genuine,
                                                       const BatchOptions& options) {
    return verify(keys, records, purchase_mac_shape, genuine, options);
}

std::expected<void, BatchRefusal> compute_tacs(const IssuerKeyTable& keys,
                                               std::span<const TacRecord> records,
                                               std::span<Mac> macs, const BatchOptions& options) {
    return compute(keys, records, tac_shape, macs, options);
}

std::expected<void, BatchRefusal> compute_purchase_macs(const IssuerKeyTable& keys,
                                                        std::span<const PurchaseMacRecord> records,
                                                        std::span<Mac> macs,
                                                        const BatchOptions& options) {
    return compute(keys, records, purchase_mac_shape, macs, options);
}

}  // namespace crypto::batch
