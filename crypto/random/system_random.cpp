#include "crypto/random/system_random.hpp"

#include <cerrno>
#include <cstdlib>
#include <mutex>

#include <mbedtls/ctr_drbg.h>
#include <sys/random.h>

namespace crypto {
namespace {

bool fill_from_kernel(void*, MutableBytes out) {
    while (!out.empty()) {
        const ssize_t count = getrandom(out.data(), out.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        out = out.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

int seed(void* source, unsigned char* out, std::size_t size) {  // mbedTLS's form of a source
    const auto* from = static_cast<const EntropySource*>(source);
    return from->fill(from->context, {out, size}) ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

}  // namespace

EntropySource kernel_entropy() {
    return {fill_from_kernel, nullptr};
}

struct SystemRandom::State {  // mbedTLS keeps its address: it stays where it was made
    explicit State(EntropySource from) : source{from} { mbedtls_ctr_drbg_init(&generator); }
    ~State() { mbedtls_ctr_drbg_free(&generator); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    EntropySource source;
    std::mutex mutex;
    mbedtls_ctr_drbg_context generator;
};

SystemRandom::SystemRandom(std::unique_ptr<State> state) : state_{std::move(state)} {}
SystemRandom::SystemRandom(SystemRandom&&) noexcept = default;
SystemRandom& SystemRandom::operator=(SystemRandom&&) noexcept = default;
SystemRandom::~SystemRandom() = default;

std::expected<SystemRandom, RandomError> SystemRandom::open(EntropySource source) {
    auto state = std::make_unique<State>(source);
    constexpr std::string_view purpose = "onecard";
    const int result = mbedtls_ctr_drbg_seed(&state->generator, seed, &state->source,
                                             reinterpret_cast<const unsigned char*>(purpose.data()),
                                             purpose.size());
    if (result == MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED) {
        return std::unexpected{RandomError::entropy_unavailable};
    }
    if (result != 0) return std::unexpected{RandomError::generator_failed};
    return SystemRandom{std::move(state)};
}

void SystemRandom::fill(MutableBytes out) {
    const std::scoped_lock lock{state_->mutex};
    while (!out.empty()) {
        const auto piece =
            out.first(std::min<std::size_t>(out.size(), MBEDTLS_CTR_DRBG_MAX_REQUEST));
        if (mbedtls_ctr_drbg_random(&state_->generator, piece.data(), piece.size()) != 0)
            std::abort();
        out = out.subspan(piece.size());
    }
}

}  // namespace crypto
