#include "terminal/reader/pcsc.hpp"

#include <atomic>
#include <utility>

#include <winscard.h>

namespace terminal {

namespace {

// pcsc-lite, "API" (https://pcsclite.apdu.fr/api/group__ErrorCodes.html). Whatever is not in this
// table means that the card's answer is lost.
LinkError link_error(LONG code) {
    switch (code) {
        case SCARD_W_RESET_CARD: return LinkError::card_reset;
        case SCARD_E_READER_UNAVAILABLE:
        case SCARD_E_UNKNOWN_READER: return LinkError::reader_gone;
        case SCARD_E_NO_SERVICE:
        case SCARD_E_SERVICE_STOPPED:
        case SCARD_F_COMM_ERROR:
        case SCARD_E_INVALID_HANDLE: return LinkError::service_lost;
        default:
            return LinkError::card_gone;  // W_REMOVED_CARD, W_UNPOWERED_CARD, E_NO_SMARTCARD,
                                          // E_NOT_TRANSACTED, ...
    }
}

bool service_is_lost(LONG code) {
    return code == SCARD_E_NO_SERVICE || code == SCARD_E_SERVICE_STOPPED ||
           code == SCARD_F_COMM_ERROR || code == SCARD_E_INVALID_HANDLE;
}

}  // namespace

struct PcscReader::State {
    explicit State(std::string name) : reader{std::move(name)} {}

    std::string reader;
    std::atomic<SCARDCONTEXT> context{0};
    bool has_context = false;
    SCARDHANDLE card = 0;
    bool connected = false;
    bool in_transaction = false;
    DWORD protocol = 0;
    DWORD known_state = SCARD_STATE_UNAWARE;
    bool needs_reset = false;  ///< the last answer was none: nobody knows who is there
    bool served = false;       ///< the card there has had its tap
    std::atomic<bool> woken{false};
    std::vector<std::uint8_t> atr;

    LONG establish() {
        if (has_context) return SCARD_S_SUCCESS;
        SCARDCONTEXT fresh = 0;
        const LONG code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &fresh);
        if (code == SCARD_S_SUCCESS) {
            context = fresh;
            has_context = true;
            known_state = SCARD_STATE_UNAWARE;
        }
        return code;
    }
    void look_again() {
        served = false;
        known_state = SCARD_STATE_UNAWARE;
    }
    void release() {
        disconnect(SCARD_LEAVE_CARD);
        if (has_context) SCardReleaseContext(context.exchange(0));
        has_context = false;
        look_again();
    }
    void disconnect(DWORD disposition) {
        if (connected) SCardDisconnect(card, disposition);
        connected = false;
        in_transaction = false;
    }
    std::unexpected<LinkError> lost(LONG code) {
        if (service_is_lost(code)) {
            release();
        } else {
            disconnect(SCARD_LEAVE_CARD);
        }
        look_again();  // whoever is there now has another touch coming
        return std::unexpected{link_error(code)};
    }
};

PcscReader::PcscReader(std::string reader_name)
    : state_{std::make_unique<State>(std::move(reader_name))} {}
PcscReader::~PcscReader() {
    state_->release();
}

const std::string& PcscReader::reader_name() const {
    return state_->reader;
}
const std::vector<std::uint8_t>& PcscReader::atr() const {
    return state_->atr;
}
void PcscReader::forget_served() {
    state_->look_again();
}

void PcscReader::wake() {
    state_->woken = true;
    if (const SCARDCONTEXT context = state_->context) SCardCancel(context);
}

WaitResult PcscReader::wait_for_card(std::chrono::milliseconds limit) {
    using Clock = std::chrono::steady_clock;
    State& state = *state_;
    const auto deadline = Clock::now() + limit;
    for (;;) {
        if (state.woken.exchange(false)) return WaitResult::cancelled;
        if (state.establish() != SCARD_S_SUCCESS) return WaitResult::service_lost;
        SCARD_READERSTATE wanted{};
        wanted.szReader = state.reader.c_str();
        wanted.dwCurrentState = state.known_state;
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return WaitResult::timeout;
        const LONG code =
            SCardGetStatusChange(state.context, static_cast<DWORD>(left.count()), &wanted, 1);
        if (code == SCARD_E_CANCELLED) continue;
        if (code == SCARD_E_TIMEOUT) return WaitResult::timeout;
        if (code == SCARD_E_UNKNOWN_READER || code == SCARD_E_READER_UNAVAILABLE) {
            return WaitResult::reader_unknown;
        }
        if (code != SCARD_S_SUCCESS) {
            state.release();
            return WaitResult::service_lost;
        }
        const DWORD now = wanted.dwEventState & ~static_cast<DWORD>(SCARD_STATE_CHANGED);
        if ((now & (SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE)) != 0) {
            return WaitResult::reader_unknown;
        }
        // The upper half counts insertions: another card may have come between two looks.
        constexpr DWORD event_counter = 0xFFFF0000;
        const bool counted = (now & event_counter) != (state.known_state & event_counter);
        const bool first_look = state.known_state == SCARD_STATE_UNAWARE;
        state.known_state = now;
        const bool present = (now & SCARD_STATE_PRESENT) != 0 && (now & SCARD_STATE_MUTE) == 0;
        if (!present || (counted && !first_look)) state.served = false;
        if (present && !state.served) return WaitResult::card_present;
    }
}

std::expected<void, LinkError> PcscReader::connect(Share share) {
    State& state = *state_;
    state.disconnect(SCARD_LEAVE_CARD);
    if (const LONG code = state.establish(); code != SCARD_S_SUCCESS) return state.lost(code);
    const DWORD mode = share == Share::exclusive ? SCARD_SHARE_EXCLUSIVE : SCARD_SHARE_SHARED;
    LONG code = SCardConnect(state.context, state.reader.c_str(), mode,
                             SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &state.card, &state.protocol);
    if (code != SCARD_S_SUCCESS) return state.lost(code);
    state.connected = true;
    if (std::exchange(state.needs_reset, false)) {
        code = SCardReconnect(state.card, mode, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                              SCARD_RESET_CARD, &state.protocol);
        if (code != SCARD_S_SUCCESS) return state.lost(code);
    }
    std::array<BYTE, MAX_ATR_SIZE> atr{};
    DWORD atr_size = MAX_ATR_SIZE;
    DWORD name_size = 0;
    code = SCardStatus(state.card, nullptr, &name_size, nullptr, nullptr, atr.data(), &atr_size);
    if (code != SCARD_S_SUCCESS) return state.lost(code);
    state.atr.assign(atr.begin(), atr.begin() + static_cast<std::ptrdiff_t>(atr_size));
    return {};
}

std::expected<void, LinkError> PcscReader::begin() {
    ONECARD_CHECK(connect(Share::shared));
    State& state = *state_;
    state.served = true;
    const LONG code = SCardBeginTransaction(state.card);
    if (code != SCARD_S_SUCCESS) return state.lost(code);
    state.in_transaction = true;
    return {};
}

void PcscReader::end(bool reset) {
    State& state = *state_;
    const DWORD disposition = reset ? SCARD_RESET_CARD : SCARD_LEAVE_CARD;
    if (state.in_transaction) SCardEndTransaction(state.card, SCARD_LEAVE_CARD);
    state.in_transaction = false;
    state.disconnect(disposition);
}

std::expected<Response, LinkError> PcscReader::transmit(Bytes command) {
    State& state = *state_;
    if (!state.connected) return std::unexpected{LinkError::card_gone};
    std::array<BYTE, protocol::short_response_size_max> answer{};
    DWORD size = answer.size();
    const SCARD_IO_REQUEST* pci = state.protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    const LONG code = SCardTransmit(state.card, pci, command.data(), command.size(), nullptr,
                                    answer.data(), &size);
    if (code != SCARD_S_SUCCESS) return state.lost(code);
    Response response;
    if (size < 2 || !response.append(Bytes{answer}.first(size))) {
        // Some drivers report a card that left as an answer of no bytes, before the service has
        // noticed: whoever is connected to next must start from its ATR.
        state.disconnect(SCARD_LEAVE_CARD);
        state.needs_reset = true;
        state.look_again();
        return std::unexpected{LinkError::malformed};
    }
    return response;
}

std::expected<Response, LinkError> PcscSam::transmit(Bytes command) {
    if (!connected_) {
        ONECARD_CHECK(reader_.connect(PcscReader::Share::exclusive));
        connected_ = true;
    }
    auto response = reader_.transmit(command);
    connected_ = response.has_value();
    return response;
}

std::vector<std::string> list_readers() {
    SCARDCONTEXT context = 0;
    std::vector<std::string> names;
    if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &context) != SCARD_S_SUCCESS) {
        return names;
    }
    DWORD size = 0;
    std::string list;
    if (SCardListReaders(context, nullptr, nullptr, &size) == SCARD_S_SUCCESS) {
        list.resize(size);
        if (SCardListReaders(context, nullptr, list.data(), &size) != SCARD_S_SUCCESS) list.clear();
    }
    for (std::size_t at = 0; at < list.size() && list[at] != '\0';) {  // a multi-string
        names.emplace_back(list.c_str() + at);
        at += names.back().size() + 1;
    }
    SCardReleaseContext(context);
    return names;
}

}  // namespace terminal
