// Who calls through a proxy, as far as it is believed.
#include "../../transport/proxies.hpp"

#include <string>

#include "units.hpp"

using namespace transport;
using namespace units;

static std::string four(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return {char(a), char(b), char(c), char(d)};
}

TEST(a_range_of_addresses_is_what_begins_with_its_bits) {
    const AddressRange range{four(10, 1, 128, 0), 17};
    CHECK(range.holds(four(10, 1, 128, 1)) && range.holds(four(10, 1, 255, 255)));
    CHECK(!range.holds(four(10, 1, 127, 1)) && !range.holds(four(10, 2, 128, 1)) && !range.holds(""));
    CHECK(AddressRange({four(10, 0, 0, 7), 32}).holds(four(10, 0, 0, 7)));
    CHECK(!AddressRange({four(10, 0, 0, 7), 32}).holds(four(10, 0, 0, 6)));
    CHECK(AddressRange({four(0, 0, 0, 0), 0}).holds(four(1, 2, 3, 4)) &&
          !AddressRange({four(0, 0, 0, 0), 0}).holds(std::string(16, 'x')));
}

TEST(the_last_address_that_is_no_proxys_is_who_calls) {
    const Proxies proxies({{four(10, 0, 0, 0), 8}});
    const std::string caller = four(192, 0, 2, 7);
    CHECK(proxies.network_through("", "192.0.2.7") == caller);
    CHECK(proxies.network_through("", "203.0.113.9, 192.0.2.7 , 10.1.2.3") == caller);
    CHECK(proxies.network_through("", "192.0.2.7:4711") == caller);
    CHECK(proxies.network_through("for=203.0.113.9, for=192.0.2.7;proto=http;by=10.0.0.1, FOR=\"10.0.0.2:80\"", "") ==
          caller);
    CHECK(proxies.network_through("proto=http; for=\"[2001:db8:1:2:3::4]:80\"", "") ==
          std::string("\x20\x01\x0d\xb8\0\1\0\2", 8));
    CHECK(proxies.network_through("", "::ffff:192.0.2.7") == caller);
}

TEST(what_says_nothing_or_two_things_is_not_believed) {
    const Proxies proxies({{four(10, 0, 0, 0), 8}});
    for (const char* nobody :
         {"", ",", "unknown", "10.0.0.1", "192.0.2.7.8", "192.0.2.7, unknown", "[::1", "300.0.0.1"})
        CHECK(proxies.network_through("", nobody).empty());
    for (const char* nobody : {"for=_hidden", "by=192.0.2.7", "for", "for=", "for=unknown", ";;", "for=10.0.0.1"})
        CHECK(proxies.network_through(nobody, "").empty());
    CHECK(proxies.network_through("for=192.0.2.8", "192.0.2.7").empty());
    CHECK(proxies.network_through("for=192.0.2.7", "192.0.2.7") == four(192, 0, 2, 7));
}

TEST(what_a_caller_has_written_into_a_quoted_string_separates_nothing) {
    const Proxies proxies({{four(10, 0, 0, 0), 8}});
    const std::string caller = four(192, 0, 2, 7);
    for (const char* host : {"x,for=203.0.113.9;a", "x, for=203.0.113.9", "a\\\",for=203.0.113.9,b=\\\"", "\\\\"})
        for (const char* after : {"", ", for=10.0.0.2", ";proto=http , for=\"10.0.0.2:80\""})
            CHECK(proxies.network_through("for=192.0.2.7;host=\"" + std::string(host) + '"' + after, "") == caller);
    CHECK(proxies.network_through("for=203.0.113.9;host=\"a;for=203.0.113.8\", for=192.0.2.7", "") == caller);
}

TEST(what_is_not_well_formed_is_not_believed) {
    const Proxies proxies({{four(10, 0, 0, 0), 8}});
    for (const char* nobody :
         {"for=192.0.2.7;host=\"x", "host=\"x, for=192.0.2.7", "host=\"x\\\", for=192.0.2.7", "for=192.0.2.7 x",
          "for=192.0.2.7;for=192.0.2.8", "host=\"x\"y, for=192.0.2.7", "for=\"192.0.2.7\" x", "=192.0.2.7"})
        CHECK(proxies.network_through(nobody, "").empty());
}
