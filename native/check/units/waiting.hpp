// Messages that wait in a line, for tests of turns.
#pragma once

#include <list>
#include <string>

#include "units.hpp"

namespace units {

/// Messages of callers by number, each of so many bytes.
class Waiting {
public:
    Message& put(Line& line, std::uint64_t caller, std::size_t size, double patience_s = never, bool is_long = false) {
        Message& message = messages_.emplace_back();
        message.id = messages_.size();
        message.caller = caller;
        message.size = size;
        message.patience_s = patience_s;
        message.is_long = is_long;
        message.line = &line;
        line.put(message);
        return message;
    }

private:
    std::list<Message> messages_;
};

/// Takes so many messages, and returns whose they were.
inline std::string callers(Line& line, std::size_t count) {
    std::string found;
    while (found.size() < count && line.first()) found += char('0' + line.take_message()->caller);
    return found;
}

/// Has a line in which something waits be known for so many bytes in so many seconds.
inline void pace(Line& line, double& time, std::size_t bytes, double seconds) {
    for (int count = 0; count < 60; ++count, time += seconds) line.moved(bytes, time);
}

/// Has a line move by one message in so many seconds.
inline void move(Line& line, double& time, double seconds) {
    line.moved(line.take_message()->size, time);
    time += seconds;
    line.moved(line.take_message()->size, time);
}

}  // namespace units
