#include "terminal/gate/screen.hpp"

namespace terminal {

std::string yuan(Money amount) {
    const std::uint32_t cents = amount.fen() % 100;
    return std::to_string(amount.fen() / 100) + (cents < 10 ? ".0" : ".") + std::to_string(cents);
}

std::string screen_line(Refusal refusal) {
    switch (refusal) {
        case Refusal::none: return "";
        case Refusal::out_of_service: return "暂停服务 Out of service";
        case Refusal::sam_unavailable: return "暂停服务 Out of service";
        case Refusal::card_gone: return "请重新刷卡 Please tap again";
        case Refusal::not_a_transit_card: return "非交通卡 Not a transit card";
        case Refusal::card_blocked: return "卡已锁定 Card is blocked";
        case Refusal::card_data_malformed: return "卡片异常，请到服务台 Card error, see staff";
        case Refusal::not_enabled: return "卡未启用 Card is not enabled";
        case Refusal::not_started: return "卡未生效 Card is not valid yet";
        case Refusal::expired: return "卡已过期 Card has expired";
        case Refusal::not_interoperable: return "此卡仅限本地使用 Card is valid in its city only";
        case Refusal::city_not_accepted: return "本站不受理该城市卡 Card of this city not accepted";
        case Refusal::no_hot_list: return "暂停服务 Out of service";
        case Refusal::on_hot_list: return "卡已挂失，请到服务台 Card is listed, see staff";
        case Refusal::proof_unconfirmed:
            return "付款核实中，请到服务台 Payment is being checked, see staff";
        case Refusal::journey_open: return "已进站，请先出站 Already entered";
        case Refusal::journey_none: return "无进站记录，请到服务台 No entry found, see staff";
        case Refusal::journey_elsewhere:
            return "非本线网进站，请到服务台 Entered elsewhere, see staff";
        case Refusal::journey_too_old: return "乘车超时，请到服务台 Journey too long, see staff";
        case Refusal::no_fare: return "无票价，请到服务台 No fare, see staff";
        case Refusal::insufficient_balance: return "余额不足 Insufficient balance";
        case Refusal::card_refused: return "卡片异常，请到服务台 Card error, see staff";
        case Refusal::sam_refused: return "暂停服务 Out of service";
        case Refusal::mac2_wrong: return "交易异常，请到服务台 Transaction error, see staff";
        case Refusal::unresolved: return "请用同一张卡重新刷卡 Tap the same card again";
    }
    return "";
}

std::string screen_line(const Finished& result) {
    if (!result.open) return screen_line(result.refusal);
    if (result.already_paid) return "已付款，请通行 Already paid, please pass";
    const BatchRecord& record = result.record;
    const std::string balance =
        "余额 Balance ¥" + yuan(*subtract(record.balance_before, record.amount));
    if (record.trip == protocol::TripType::purse_entry) return "请进站 Welcome · " + balance;
    return "扣款 Paid ¥" + yuan(record.amount) + " · " + balance;
}

}  // namespace terminal
