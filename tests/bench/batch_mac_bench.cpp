// How fast the MAC engine is, beside OpenSSL and libgcrypt in the same minutes. docs/performance.md
// has a run.
//
// Rates are medians of five rounds; in every round each contender runs once, so that a busy minute
// hurts all of them alike. A cycle is one of the core's own, timed by a chain of additions.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "crypto/batch/sm3_lanes.hpp"
#include "crypto/purse/keys.hpp"
#include "tests/bench/batch_mac_peers.hpp"

namespace {

using namespace crypto::batch;
using bench::Master;
using protocol::Suite;

struct Settings {
    int rounds = 5;
    std::size_t hot = 20'000;           // records that stay in the second-level cache
    std::size_t streaming = 4'000'000;  // 144 MB of records
    std::size_t peer_records = 20'000;
    double seconds = 0.1;  // at least, for a small batch
    Forms forms = best_forms();
};

/// On one thread the thread's own processor time counts, so that neighbours on the machine cost
/// nothing but their share of the caches; with two threads only the clock on the wall can tell.
double now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
constexpr clockid_t own_time = CLOCK_THREAD_CPUTIME_ID;
constexpr clockid_t wall_time = CLOCK_MONOTONIC;

/// Dependent additions take one cycle each; eight at a time, so that the loop around them is free.
double clock_rate() {
    constexpr long turns = 5'000'000;
    double best = 0;
    for (int i = 0; i < 5; ++i) {
        unsigned long sum = 0;
        const double start = now(own_time);
        for (long n = 0; n < turns; ++n) {
            asm volatile(
                "add $1, %0\n\t add $1, %0\n\t add $1, %0\n\t add $1, %0\n\t"
                "add $1, %0\n\t add $1, %0\n\t add $1, %0\n\t add $1, %0"
                : "+r"(sum));
        }
        best = std::max(best, 8 * turns / (now(own_time) - start));
    }
    return best;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

void require(bool condition, const std::string& what) {
    if (condition) return;
    std::fprintf(stderr, "batch_mac_bench: %s\n", what.c_str());
    std::exit(1);
}

/// Work on `records` records a call, repeated for a while.
struct Contender {
    std::string name;
    std::size_t records;
    std::function<void()> run;
    unsigned threads = 1;
    clockid_t clock = own_time;
    std::vector<double> rates{};   // records a second, one per round
    std::vector<double> shares{};  // of the processors it needs, what it got
};

void measure_once(Contender& contender, const Settings& settings) {
    std::size_t done = 0;
    const double start = now(contender.clock);
    const double start_wall = now(wall_time);
    const double start_process = now(CLOCK_PROCESS_CPUTIME_ID);
    double elapsed = 0;
    do {
        contender.run();
        done += contender.records;
        elapsed = now(contender.clock) - start;
    } while (elapsed < settings.seconds);
    const double wall = (now(wall_time) - start_wall) * contender.threads;
    contender.rates.push_back(static_cast<double>(done) / elapsed);
    contender.shares.push_back((now(CLOCK_PROCESS_CPUTIME_ID) - start_process) / wall);
}

void measure(std::vector<Contender>& contenders, const Settings& settings) {
    for (int round = 0; round < settings.rounds; ++round) {
        for (Contender& contender : contenders) measure_once(contender, settings);
    }
}

/// The first two are the peers.
void print(const std::string& what, std::vector<Contender>& contenders, const Settings& settings,
           double clock) {
    measure(contenders, settings);
    const double openssl = median(contenders[0].rates);
    const double gcrypt = median(contenders[1].rates);
    std::printf("\n%s\n%-34s %10s %12s %10s %12s %8s\n", what.c_str(), "", "M/s", "cycles each",
                "x OpenSSL", "x libgcrypt", "share");
    for (const Contender& contender : contenders) {
        const double rate = median(contender.rates);
        std::printf("%-34s %10.2f %12.1f %10.1f %12.1f %7.0f%%\n", contender.name.c_str(),
                    rate / 1e6, clock / rate, rate / openssl, rate / gcrypt,
                    100 * median(contender.shares));
    }
    std::fflush(stdout);
}

// ---- MACs ----

template <class Record>
std::vector<Record> random_records(std::size_t count, std::size_t keys, std::mt19937_64& random) {
    std::vector<Record> out(count);
    for (Record& record : out) {
        auto* bytes = reinterpret_cast<std::uint8_t*>(&record);
        for (std::size_t i = 0; i < sizeof record; ++i)
            bytes[i] = static_cast<std::uint8_t>(random());
        record.key = IssuerKeyIndex{static_cast<std::uint16_t>(random() % keys)};
    }
    return out;
}

struct Work {
    Suite suite;
    Master master;
    IssuerKeyTable one;   // that key alone
    IssuerKeyTable many;  // forty keys of its suite
};

Work make_work(Suite suite, std::mt19937_64& random) {
    Work work{.suite = suite, .master = {}, .one = {}, .many = {}};
    for (auto& byte : work.master) byte = static_cast<std::uint8_t>(random());
    require(work.one.add({.suite = suite}, work.master).has_value(), "the key was refused");
    for (std::uint8_t i = 0; i < 40; ++i) {
        Master master{};
        for (auto& byte : master) byte = static_cast<std::uint8_t>(random());
        require(
            work.many.add({.version = protocol::KeyVersion{i}, .suite = suite}, master).has_value(),
            "a key was refused");
    }
    return work;
}

std::vector<Forms> forms_for(Suite suite) {
    std::vector<Forms> out;
    if (suite == Suite::sm4) {
        for (const auto form :
             {Sm4Form::portable, Sm4Form::avx2_aes, Sm4Form::avx2_gfni, Sm4Form::avx512_gfni}) {
            if (is_available(form)) out.push_back({.sm4 = form});
        }
    } else {
        for (const auto form : {DesForm::portable, DesForm::avx2, DesForm::avx512}) {
            if (is_available(form)) out.push_back({.des = form});
        }
    }
    return out;
}

std::string form_name(Suite suite, const Forms& forms) {
    return suite == Suite::sm4 ? name(forms.sm4) : name(forms.des);
}

std::expected<void, BatchRefusal> verify(const IssuerKeyTable& keys,
                                         std::span<const TacRecord> records,
                                         std::span<std::uint64_t> genuine,
                                         const BatchOptions& options) {
    return verify_tacs(keys, records, genuine, options);
}
std::expected<void, BatchRefusal> verify(const IssuerKeyTable& keys,
                                         std::span<const PurchaseMacRecord> records,
                                         std::span<std::uint64_t> genuine,
                                         const BatchOptions& options) {
    return verify_purchase_macs(keys, records, genuine, options);
}
void compute(const IssuerKeyTable& keys, std::span<const TacRecord> records,
             std::span<protocol::Mac> macs) {
    require(compute_tacs(keys, records, macs).has_value(), "refused");
}
void compute(const IssuerKeyTable& keys, std::span<const PurchaseMacRecord> records,
             std::span<protocol::Mac> macs) {
    require(compute_purchase_macs(keys, records, macs).has_value(), "refused");
}
void peer_macs(const bench::Peer& peer, const Work& work, std::span<const TacRecord> records,
               std::span<protocol::Mac> macs) {
    peer.tacs(work.suite, work.master, records, macs);
}
void peer_macs(const bench::Peer& peer, const Work& work,
               std::span<const PurchaseMacRecord> records, std::span<protocol::Mac> macs) {
    peer.purchase_macs(work.suite, work.master, records, macs);
}

template <class Record>
Contender ours(std::string name, const IssuerKeyTable& keys, std::span<const Record> records,
               BatchOptions options) {
    std::vector<std::uint64_t> genuine(outcome_words(records.size()));
    return {std::move(name), records.size(),
            [&keys, records, options, genuine]() mutable {
                require(verify(keys, records, genuine, options).has_value(), "refused");
            },
            options.threads};
}

/// The same TACs by crypto/purse, one at a time: what a caller without the engine would write.
void purse_tacs(const Work& work, std::span<const TacRecord> records,
                std::span<protocol::Mac> macs) {
    const crypto::purse::PurseKey issuer{work.suite, work.master};
    for (std::size_t i = 0; i < records.size(); ++i) {
        const auto card =
            crypto::purse::diversify(issuer, crypto::purse::Factor{records[i].card_factor});
        macs[i] = crypto::purse::tac(card, records[i].input);
    }
}

Contender one_by_one(const Work& work, std::span<const TacRecord> records) {
    return {"crypto/purse, one by one", records.size(),
            [&work, records, macs = std::vector<protocol::Mac>(records.size())]() mutable {
                purse_tacs(work, records, macs);
            }};
}

template <class Record>
std::vector<Contender> peers(const Work& work, std::span<const Record> records) {
    std::vector<Contender> out;
    std::vector<protocol::Mac> expected(records.size());
    compute(work.one, records, expected);
    for (const bench::Peer& peer : {bench::openssl_peer(), bench::gcrypt_peer()}) {
        std::vector<protocol::Mac> macs(records.size());
        peer_macs(peer, work, records, macs);
        require(macs == expected, peer.name + " computes other MACs");
        out.push_back({peer.name, records.size(), [peer, &work, records, macs]() mutable {
                           peer_macs(peer, work, records, macs);
                       }});
    }
    return out;
}

template <class Record>
void run_forms(const std::string& what, Suite suite, const Settings& settings, double clock) {
    std::mt19937_64 random{1};
    const Work work = make_work(suite, random);
    const auto hot = random_records<Record>(settings.hot, 1, random);
    auto contenders = peers<Record>(work, std::span{hot}.first(settings.peer_records));
    for (const Forms& forms : forms_for(suite)) {
        contenders.push_back(
            ours<Record>(form_name(suite, forms), work.one, hot, {.threads = 1, .forms = forms}));
    }
    const BatchOptions chosen{.threads = 1, .forms = settings.forms};
    const auto mixed = random_records<Record>(settings.hot, 40, random);
    contenders.push_back(ours<Record>("40 issuer keys at random", work.many, mixed, chosen));
    const auto streaming = random_records<Record>(settings.streaming, 1, random);
    contenders.push_back(ours<Record>("streaming from memory", work.one, streaming, chosen));
    print(what, contenders, settings, clock);
}

void run_sizes(const std::string& what, Suite suite, const Settings& settings, double clock) {
    std::mt19937_64 random{2};
    const Work work = make_work(suite, random);
    const auto records = random_records<TacRecord>(1'000'000, 1, random);
    auto contenders = peers<TacRecord>(work, std::span{records}.first(settings.peer_records));
    contenders.push_back(one_by_one(work, std::span{records}.first(16)));
    for (const std::size_t size :
         {1U, 2U, 4U, 8U, 16U, 64U, 256U, 512U, 4096U, 65536U, 1'000'000U}) {
        contenders.push_back(ours<TacRecord>("batches of " + std::to_string(size), work.one,
                                             std::span{records}.first(size),
                                             {.threads = 1, .forms = settings.forms}));
    }
    print(what, contenders, settings, clock);
}

/// All by the clock on the wall: the time that two threads share is not either one's.
void run_threads(const std::string& what, Suite suite, const Settings& settings, double clock) {
    std::mt19937_64 random{4};
    const Work work = make_work(suite, random);
    const auto records = random_records<TacRecord>(settings.streaming, 1, random);
    auto contenders = peers<TacRecord>(work, std::span{records}.first(settings.peer_records));
    for (const std::size_t size : {std::size_t{65'536}, records.size()}) {
        for (const unsigned threads : {1U, 2U}) {
            contenders.push_back(ours<TacRecord>(
                std::to_string(size) + " records, threads: " + std::to_string(threads), work.one,
                std::span{records}.first(size), {.threads = threads, .forms = settings.forms}));
        }
    }
    for (Contender& contender : contenders) contender.clock = wall_time;
    print(what, contenders, settings, clock);
}

// ---- SM3 ----

void run_sm3(const std::string& what, Suite /*suite*/, const Settings& settings, double clock) {
    constexpr std::size_t size = 64;
    std::mt19937_64 random{3};
    std::vector<std::uint8_t> records(settings.hot * size);
    for (auto& byte : records) byte = static_cast<std::uint8_t>(random());
    std::vector<crypto::Sm3Digest> expected(settings.hot);
    static_cast<void>(sm3_records(records, size, expected, Sm3Form::portable));
    std::vector<Contender> contenders;
    for (const bench::Peer& peer : {bench::openssl_peer(), bench::gcrypt_peer()}) {
        std::vector<crypto::Sm3Digest> digests(settings.hot);
        peer.sm3(records, size, digests);
        require(digests == expected, peer.name + " computes other digests");
        contenders.push_back({peer.name, settings.hot, [peer, &records, digests]() mutable {
                                  peer.sm3(records, size, digests);
                              }});
    }
    for (const Sm3Form form : {Sm3Form::portable, Sm3Form::avx512}) {
        if (!is_available(form)) continue;
        contenders.push_back(
            {name(form), settings.hot, [form, &records, digests = expected]() mutable {
                 static_cast<void>(sm3_records(records, size, digests, form));
             }});
    }
    print(what, contenders, settings, clock);
}

std::string line_of(const char* path, const std::string& start) {
    std::ifstream in{path};
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with(start)) return line;
    }
    return {};
}

void run_tables(const std::string& only, const Settings& settings, double clock) {
    using Run = void (*)(const std::string&, Suite, const Settings&, double);
    struct Table {
        const char* title;
        Suite suite;
        Run run;
    };
    constexpr Suite sm4 = Suite::sm4;
    constexpr Suite des = Suite::triple_des;
    const Table tables[] = {
        {"SM4 TAC: 3 blocks, 1 key schedule", sm4, run_forms<TacRecord>},
        {"SM4 MAC1: 4 blocks, 2 key schedules", sm4, run_forms<PurchaseMacRecord>},
        {"3DES TAC: 9 DES, 1 key schedule", des, run_forms<TacRecord>},
        {"3DES MAC1: 12 DES, 3 key schedules", des, run_forms<PurchaseMacRecord>},
        {"SM3 of 64-byte records", sm4, run_sm3},
        {"SM4 TAC by batch size", sm4, run_sizes},
        {"3DES TAC by batch size", des, run_sizes},
        {"SM4 TAC on one and two threads, by the wall's clock", sm4, run_threads},
        {"3DES TAC on one and two threads, by the wall's clock", des, run_threads},
    };
    for (const Table& table : tables) {
        if (std::string{table.title}.find(only) == std::string::npos) continue;
        table.run(table.title, table.suite, settings, clock);
    }
}

/// Those of the processor's flags that choose a form, here or in the peers.
std::string relevant_flags() {
    std::istringstream words{line_of("/proc/cpuinfo", "flags")};
    std::string out = "flags:";
    for (std::string word; words >> word;) {
        const bool vector = word.starts_with("avx") || word == "gfni";
        if (vector || word == "aes" || word == "vaes" || word == "bmi2") out += ' ' + word;
    }
    return out;
}

int usage() {
    std::puts(
        "batch_mac_bench [--smoke] [--rounds N] [--only WORD] [--form NAME]...\n"
        "Prints records a second and core cycles per record for every form of the MAC engine that "
        "this\n"
        "machine has, beside OpenSSL and libgcrypt. Takes about a minute on a quiet machine. One "
        "thread is\n"
        "timed by its own processor time, two by the clock on the wall; `share` is how much of "
        "the\n"
        "processors the line got: below 95 % something else was running.\n"
        "  --form NAME instead of the best: portable, avx2+aes, avx2+gfni, avx512+gfni for SM4; "
        "portable,\n              avx2, avx512 for 3DES. For the tables by batch size and threads, "
        "and the lines below\n              the forms\n"
        "  --rounds N  rounds of which the median counts (5)\n"
        "  --only WORD only the tables with this word in their title, such as SM4, MAC1, threads\n"
        "  --smoke     a second of everything, to see that it works; the figures mean nothing");
    return 0;
}

}  // namespace

/// `portable` is both algorithms'; other names are one's.
void force_form(Forms& forms, const std::string& wanted) {
    bool found = false;
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        for (const Forms& each : forms_for(suite)) {
            if (form_name(suite, each) != wanted) continue;
            found = true;
            if (suite == Suite::sm4) forms.sm4 = each.sm4;
            if (suite == Suite::triple_des) forms.des = each.des;
        }
    }
    require(found, wanted + " is no form that this processor has: see --help");
}

int main(int argc, char** argv) {
    Settings settings;
    std::string only;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--help") return usage();
        if (argument == "--smoke") {
            settings = {.rounds = 1,
                        .hot = 600,
                        .streaming = 70'000,
                        .peer_records = 200,
                        .seconds = 0,
                        .forms = settings.forms};
        } else if (argument == "--rounds" && i + 1 < argc) {
            settings.rounds = std::atoi(argv[++i]);
            require(settings.rounds > 0, "--rounds needs a number from 1");
        } else if (argument == "--form" && i + 1 < argc) {
            force_form(settings.forms, argv[++i]);
        } else if (argument == "--only" && i + 1 < argc) {
            only = argv[++i];
        } else {
            require(false, argument + " is not an argument: see --help");
        }
    }
    const double clock = clock_rate();
    std::printf("SM4 %s, 3DES %s where the table names no form\n", name(settings.forms.sm4),
                name(settings.forms.des));
    std::printf("%s\n%s\nclock %.2f GHz, load %s\n", line_of("/proc/cpuinfo", "model name").c_str(),
                relevant_flags().c_str(), clock / 1e9, line_of("/proc/loadavg", "").c_str());
    run_tables(only, settings, clock);
    std::printf("\nload at the end %s\n", line_of("/proc/loadavg", "").c_str());
    return 0;
}
