#pragma once
// Store and forward: batches until acknowledged, results until complete, hot lists, the shared list
// of unresolved entries. One step at a time, over a channel that is passed in. docs/journal.md.
#include <functional>

#include "platform/http.hpp"
#include "terminal/upload/hot_list_keeper.hpp"

namespace terminal {

struct UploadRules {
    BatchRules batch;
    std::uint32_t hot_list_seconds = 300;
    std::uint32_t unresolved_seconds = 60;
    std::uint32_t result_seconds = 10;
    std::uint32_t retry_seconds_min = 1;   ///< doubled after each failure ...
    std::uint32_t retry_seconds_max = 60;  ///< ... up to this
    std::uint32_t keep_days = 30;          ///< what is settled is kept this long
};

struct UploadEvent {
    enum class Kind : std::uint8_t {
        batch_cut,
        batch_acknowledged,  ///< the receipt names our sequence, count and digest
        batch_refused,       ///< by the host, by name; it stays and is offered again
        receipt_wrong,       ///< a receipt for something else: the batch stays
        result_kept,
        hot_list_taken,
        hot_list_refused,
        unresolved_kept,  ///< `records`: how many entries the host shares
        host_unreachable,
        answer_malformed,
        journal_failed,
    };
    Kind kind;
    std::uint32_t sequence = 0;  ///< of the batch or list
    std::uint32_t records = 0;
    bool complete = false;  ///< of a result
    std::string detail;     ///< an error's name, what the host said
};
[[nodiscard]] const char* name(UploadEvent::Kind kind);

struct UploadOrigin {
    OperatorId operator_id;
    DeviceId device;
    CityCode city;
    std::uint32_t fare_table = 0;
};

/// For one thread. Everything passed in outlives it.
class Uploader {
public:
    using OnEvent = std::function<void(const UploadEvent&)>;
    Uploader(const UploadRules& rules, const UploadOrigin& origin, Journal& journal,
             HotListKeeper& hot_lists, BatchSigner& signer, platform::HttpChannel& host,
             const platform::Clock& clock, OnEvent on_event)
        : rules_{rules},
          origin_{origin},
          journal_{journal},
          hot_lists_{hot_lists},
          signer_{signer},
          host_{host},
          clock_{clock},
          on_event_{std::move(on_event)} {}

    /// Does what is due now.
    void step();
    /// Cuts what waits, whatever the rules say, and tries everything once, due or not.
    void flush();

private:
    void run(bool on_request);
    [[nodiscard]] bool exchange(bool on_request);
    [[nodiscard]] bool due(std::int64_t& next_ms, std::uint32_t every_seconds, bool on_request);
    void cut(bool on_request);
    [[nodiscard]] bool send_batches();
    [[nodiscard]] bool send(const StoredBatch& batch);
    [[nodiscard]] bool fetch_results();
    [[nodiscard]] bool fetch_hot_list();
    [[nodiscard]] bool fetch_unresolved();
    [[nodiscard]] std::optional<platform::HttpResponse> call(const platform::HttpRequest& request);
    void report(UploadEvent::Kind kind, std::uint32_t sequence = 0, std::uint32_t records = 0,
                std::string detail = {});
    template <class T>
    [[nodiscard]] bool kept(const Stored<T>& stored);

    UploadRules rules_;
    UploadOrigin origin_;
    Journal& journal_;
    HotListKeeper& hot_lists_;
    BatchSigner& signer_;
    platform::HttpChannel& host_;
    const platform::Clock& clock_;
    OnEvent on_event_;
    bool host_reached_ = true;      ///< in this round
    std::int64_t next_try_ms_ = 0;  ///< after a failure nothing is sent before this
    std::uint32_t retry_seconds_ = 0;
    std::int64_t next_hot_list_ms_ = 0;
    std::int64_t next_unresolved_ms_ = 0;
    std::int64_t next_result_ms_ = 0;
    std::int64_t next_prune_ms_ = 0;
};

}  // namespace terminal
