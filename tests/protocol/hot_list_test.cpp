#include "protocol/hot_list.hpp"

#include <vector>

#include <doctest/doctest.h>

using protocol::HotEntry;
using protocol::HotKind;
using protocol::HotListView;
using protocol::ParseError;

namespace {

const protocol::DateTime when{*protocol::Date::make(2026, 11, 23), *protocol::Time::make(8, 1, 2)};

HotEntry entry(HotKind kind, std::uint8_t last) {
    HotEntry out;
    out.kind = kind;
    out.number[9] = last;
    out.since = when;
    return out;
}

std::vector<std::uint8_t> file(const std::vector<HotEntry>& entries) {
    protocol::HotListHeader header;
    header.effective = when;
    header.issued = when;
    header.entry_count = static_cast<std::uint32_t>(entries.size());
    std::vector<std::uint8_t> out;
    std::ranges::copy(header.bytes(), std::back_inserter(out));
    for (const auto& e : entries) std::ranges::copy(e.bytes(), std::back_inserter(out));
    out.resize(out.size() + protocol::signature_size);
    return out;
}

}  // namespace

TEST_CASE("HotListView: every entry is found, its neighbours are not") {
    const auto raw = file({entry(HotKind::card, 2), entry(HotKind::card, 4), entry(HotKind::sam, 1),
                           entry(HotKind::sam, 9)});
    const auto list = HotListView::parse(raw);
    REQUIRE(list);
    for (std::uint8_t last = 0; last < 12; ++last) {
        CAPTURE(last);
        std::array<std::uint8_t, 10> number{};
        number[9] = last;
        CHECK(list->find(HotKind::card, number).has_value() == (last == 2 || last == 4));
        CHECK(list->find(HotKind::sam, number).has_value() == (last == 1 || last == 9));
    }
}

TEST_CASE("HotListView: an empty list is a list") {
    const auto raw = file({});
    const auto list = HotListView::parse(raw);
    REQUIRE(list);
    CHECK_FALSE(list->find(HotKind::card, {}));
}

TEST_CASE("HotListView: disorder, repetition, cuts and additions are refused") {
    CHECK(HotListView::parse(file({entry(HotKind::card, 4), entry(HotKind::card, 2)})).error() ==
          ParseError::wrong_value);
    CHECK(HotListView::parse(file({entry(HotKind::card, 4), entry(HotKind::card, 4)})).error() ==
          ParseError::wrong_value);
    auto raw = file({entry(HotKind::card, 2)});
    for (std::size_t size = 0; size < raw.size(); ++size) {
        CHECK_FALSE(HotListView::parse(protocol::Bytes{raw}.first(size)));
    }
    raw.push_back(0);
    CHECK(HotListView::parse(raw).error() == ParseError::trailing_bytes);
}

TEST_CASE("HotListView: a count beyond the limit is refused before anything is read") {
    auto raw = file({});
    raw[28] = 0xFF;
    CHECK(HotListView::parse(raw).error() == ParseError::too_large);
}
