// grpc.health.v1, answered without Python (github.com/grpc/grpc/blob/master/doc/health-checking.md).
#include <algorithm>

#include "connection.hpp"
#include "grpc.hpp"

namespace transport {
namespace {

constexpr std::size_t most_networks = 4;  // that may watch as much as one may

enum Health { serving = 1, not_serving = 2, service_unknown = 3 };

std::string framed(Health health) {
    std::string out;
    append_message(out, std::string{'\x08', char(health)});
    return out;
}

}  // namespace

bool State::begin_watch(Call& call) {
    const std::size_t most = limits.max_connections;  // one for each connection that there may be
    Network& network = call.connection->network;
    if (network.watches >= most) return false;
    if (watchers.size() >= most_networks * most) {
        const auto has_less = [](const auto* one, const auto* other) {
            return one->connection->network.watches < other->connection->network.watches;
        };
        Call& last = **std::max_element(watchers.begin(), watchers.end(), has_less);
        if (last.connection->network.watches <= network.watches + 1) return false;
        last.connection->end(last, status("full"), "full");
    }
    ++network.watches;
    watchers.insert(&call);
    return true;
}

void State::end_watch(Call& call) { call.connection->network.watches -= watchers.erase(&call); }

void Connection::check_health(Call& call, const Message& request) {
    const auto content = request.is_compressed ? gunzip(request.content, request.size) : std::optional(request.content);
    const auto service = content ? health_service(*content) : std::nullopt;
    if (!service) return refuse(call, "malformed");
    const bool is_known = state_.health_services.contains(*service);
    const Health health = !is_known ? service_unknown : state_.is_serving ? serving : not_serving;
    if (call.kind == Kind::health_watch) {
        call.is_told = is_known;
        put(call, framed(health), 0, 0);
    } else if (is_known) {
        put(call, framed(health), 0, 0);
        call.end = Status{};
    } else {
        call.end = Status{not_found, "unknown service", ""};
    }
    flush(call);
}

void Connection::tell_watcher(Call& call) {
    if (call.is_over || !call.is_told) return;
    put(call, framed(state_.is_serving ? serving : not_serving), 0, 0);
    submit(call);
    list();
}

}  // namespace transport
