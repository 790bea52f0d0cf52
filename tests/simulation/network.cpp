#include "tests/simulation/network.hpp"

namespace simulation {

namespace {

std::unexpected<platform::NetFailure> silence(platform::NetError why) {
    return std::unexpected{platform::NetFailure{why, "simulated"}};
}

}  // namespace

Network::Answer Network::arrive(protocol::CityCode to, const platform::HttpRequest& request) {
    CityProcess& city = *cities_.at(to);
    if (!city.accepts_calls) return silence(platform::NetError::refused);
    auto response = city.host().handle(request);
    if (response.status == 200) witness_(to, request, response);
    return response;
}

// Its disk takes no more writes from some moment on, then it is gone. A success that it still
// answered is a promise, whoever heard it.
Network::Answer Network::die_on(protocol::CityCode to, const platform::HttpRequest& request) {
    CityProcess& city = *cities_.at(to);
    if (!city.accepts_calls) return silence(platform::NetError::refused);
    city.arm_kill();
    const auto response = city.host().handle(request);
    if (response.status == 200) witness_(to, request, response);
    city.kill_and_restart();
    return silence(platform::NetError::closed);
}

Network::Answer Network::call(protocol::CityCode to, const platform::HttpRequest& request) {
    std::uint64_t dice = random_.below(100);
    const auto meets = [&dice](unsigned share) {
        if (dice < share) return true;
        dice -= share;
        return false;
    };
    if (meets(faults_.request_lost)) return silence(platform::NetError::timeout);
    if (meets(faults_.answer_lost)) {
        (void)arrive(to, request);
        return silence(platform::NetError::timeout);
    }
    if (meets(faults_.repeated)) {
        (void)arrive(to, request);
        return arrive(to, request);
    }
    if (meets(faults_.delayed)) {
        late_.push_back({to, request});
        return silence(platform::NetError::timeout);
    }
    if (meets(faults_.host_killed)) return die_on(to, request);
    return arrive(to, request);
}

bool Network::deliver_late() {
    if (late_.empty()) return false;
    const auto chosen = late_.begin() + static_cast<std::ptrdiff_t>(random_.below(late_.size()));
    const Late late = *chosen;
    late_.erase(chosen);
    (void)arrive(late.to, late.request);
    return true;
}

}  // namespace simulation
