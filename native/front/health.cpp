// grpc.health.v1, answered without Python (github.com/grpc/grpc/blob/master/doc/health-checking.md).
#include "connection.hpp"
#include "grpc.hpp"

namespace front {
namespace {

enum Health { serving = 1, not_serving = 2, service_unknown = 3 };

std::string framed(Health health) {
    std::string out;
    append_message(out, std::string{'\x08', char(health)});
    return out;
}

}  // namespace

void Connection::check_health(Call& call, const Message& request) {
    const auto content = request.is_compressed ? gunzip(request.content, request.size) : std::optional(request.content);
    const auto service = content ? health_service(*content) : std::nullopt;
    if (!service) return refuse(call, "malformed");
    const bool is_known = state_.health_services.contains(*service);
    const Health health = !is_known ? service_unknown : state_.is_serving ? serving : not_serving;
    if (call.kind == Kind::health_watch) {
        if (is_known) state_.watchers.insert(&call);
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
    if (call.is_over) return;
    put(call, framed(state_.is_serving ? serving : not_serving), 0, 0);
    submit(call);
    list();
}

}  // namespace front
