// What becomes of a call's message that is served in slices.
#include <utility>

#include "call.hpp"
#include "job.hpp"
#include "shared.hpp"

namespace transport {

void Call::shared_out(Message& message) {
    handed_over(message);
    is_counted_by_python_ = false;  // before it is answered: till then, whoever ends it counts it
    is_shared_out_ = takes_slot();
    message.state = Message::State::shared_out;
}

void Call::start_over(Message& message, Line& line) {
    if (message.waits()) message.line->remove(message);
    message.content = message.job->message.content;  // some thread may still be at it
    give_work_back(message);
    shared_.outstanding.remove(message.id);
    message.state = Message::State::waiting;
    is_shared_out_ = false;
    held_.use(message.cost());
    message.line = &line;
    line.put(message);
}

/// Gives back what serving a message takes: it is answered, or nobody waits for it any more.
void Call::give_work_back(Message& message) {
    reserve(message, 0);
    if (!message.job) return;
    message.job->is_over = true;
    message.job.reset();
    shared_.making.give_back(std::exchange(message.made, 0));
}

}  // namespace transport
