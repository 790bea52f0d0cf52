#pragma once
// The network of a simulated day: drops, repeats, delays and with that reorders, and loses answers.
// Everything that leaves a host as a success is told to a witness: it must stay true.
#include <deque>
#include <functional>
#include <map>

#include "platform/http.hpp"
#include "tests/simulation/city_process.hpp"

namespace simulation {

/// Of a hundred calls, how many meet which misfortune.
struct NetworkFaults {
    unsigned request_lost = 0;
    unsigned answer_lost = 0;
    unsigned repeated = 0;
    unsigned delayed = 0;
    unsigned host_killed = 0;  ///< while it works on the call
};

class Network {
public:
    using Witness = std::function<void(protocol::CityCode city, const platform::HttpRequest&,
                                       const platform::HttpResponse&)>;
    using Answer = std::expected<platform::HttpResponse, platform::NetFailure>;

    Network(const crypto::SeededRandom& random, Witness witness)
        : random_{random}, witness_{std::move(witness)} {}

    void attach(CityProcess& city) { cities_[city.city().code] = &city; }
    void set_faults(const NetworkFaults& faults) { faults_ = faults; }
    [[nodiscard]] Answer call(protocol::CityCode to, const platform::HttpRequest& request);
    /// One of the delayed messages arrives, whoever sent it has given up. False: none is left.
    bool deliver_late();

private:
    struct Late {
        protocol::CityCode to;
        platform::HttpRequest request;
    };
    [[nodiscard]] Answer arrive(protocol::CityCode to, const platform::HttpRequest& request);
    [[nodiscard]] Answer die_on(protocol::CityCode to, const platform::HttpRequest& request);

    crypto::SeededRandom random_;
    Witness witness_;
    NetworkFaults faults_;
    std::map<protocol::CityCode, CityProcess*> cities_;
    std::deque<Late> late_;
};

/// One caller's way to one city, with the identity that its certificate would give it.
class Channel final : public platform::HttpChannel {
public:
    Channel(Network& network, protocol::CityCode to, platform::PeerIdentity identity)
        : network_{network}, to_{to}, identity_{std::move(identity)} {}
    [[nodiscard]] Network::Answer call(const platform::HttpRequest& request) override {
        platform::HttpRequest signed_request = request;
        signed_request.identity = identity_;
        return network_.call(to_, signed_request);
    }

private:
    Network& network_;
    protocol::CityCode to_;
    platform::PeerIdentity identity_;
};

}  // namespace simulation
