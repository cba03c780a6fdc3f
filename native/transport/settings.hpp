// What a transport is told once, before it starts.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "contract.hpp"
#include "http_head.hpp"
#include "proxies.hpp"

namespace transport {

/// Configuration of a transport, fixed before it starts.
struct TransportSettings {
    Limits limits;
    Statuses statuses;
    std::vector<Responses> responses = std::vector<Responses>(1);  // of HTTP's refusals, in the words of each API
    std::map<int, int> http_statuses;  // HTTP's status of gRPC's; 500 of all others
    std::optional<Hosts> hosts;   // that a plain call over HTTP may ask for; all, where none are named
    std::set<std::string> origins;  // of other hosts' pages that may read refusals; * is all of them
    Proxies proxies;              // that say who calls
    std::vector<Method> methods;
    std::vector<std::string> headers;       // that Python wants to see
    std::vector<std::string> health_services;  // that grpc.health.v1 knows
    double max_wait = 1;  // share of its time that a call may be expected to wait

    const Status& status(Refusal refusal) const { return statuses[std::size_t(refusal)]; }
    int http_status(int code) const {
        const auto found = http_statuses.find(code);
        return found == http_statuses.end() ? 500 : found->second;
    }
    const Response& response(Refusal refusal, std::size_t words) const {
        return responses[words][std::size_t(refusal)];
    }
};

}  // namespace transport
