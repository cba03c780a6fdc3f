// grpc.health.v1, answered without Python (github.com/grpc/grpc/blob/master/doc/health-checking.md).
#include <algorithm>

#include "grpc.hpp"
#include "grpc_call.hpp"
#include "peer.hpp"

namespace transport {
namespace {

constexpr std::size_t most_networks = 4;  // that may watch as much as one may

enum Health { serving = 1, not_serving = 2, service_unknown = 3 };

std::string response_of(Health health) { return {'\x08', char(health)}; }

}  // namespace

/// Counts the call among those who watch; false where its network has as many as it may. Of too many in all, one of the
/// network that has the most ends.
bool GrpcCall::take_place() {
    if (kind_ != Kind::health_watch) return true;
    const std::size_t most = shared_.settings.limits.max_connections;  // one for each connection that there may be
    Network& network = peer_.network;
    auto& watchers = shared_.watchers;
    if (network.watches >= most) return false;
    if (watchers.size() >= most_networks * most) {
        const auto has_less = [](const GrpcCall* one, const GrpcCall* other) {
            return one->peer_.network.watches < other->peer_.network.watches;
        };
        GrpcCall& last = **std::max_element(watchers.begin(), watchers.end(), has_less);
        if (last.peer_.network.watches <= network.watches + 1) return false;
        last.refuse(Refusal::crowded);
    }
    ++network.watches;
    watching_.stand_for(watchers, watchers.insert(watchers.end(), this));
    return true;
}

void GrpcCall::give_place_back() {
    if (!watching_) return;
    watching_.leave();
    --peer_.network.watches;
}

void GrpcCall::check_health(const Message& request) {
    const auto content = request.is_compressed ? gunzip(request.content, request.size) : std::optional(request.content);
    const auto service = content ? health_service(*content) : std::nullopt;
    if (!service) return refuse(Refusal::malformed);
    const auto found = shared_.is_serving.find(*service);
    const bool is_known = found != shared_.is_serving.end();
    const Health health = !is_known ? service_unknown : found->second ? serving : not_serving;
    if (kind_ == Kind::health_watch) {
        watched_ = *service;
        put_message(response_of(health), 0, 0);
    } else if (is_known) {
        put_message(response_of(health), 0, 0);
        end_ = shared_.trailer(Refusal::none);
    } else {
        end_ = std::make_shared<const Trailer>(Status{not_found, "unknown service", ""});
    }
    flush();
}

void GrpcCall::tell_health(std::string_view service, bool is_serving) {
    if (is_over_ || watched_ != service) return;
    put_message(response_of(is_serving ? serving : not_serving), 0, 0);
    submit();
    peer_.list();
}

}  // namespace transport
