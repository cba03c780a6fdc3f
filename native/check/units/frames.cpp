// Which bytes are of DATA frames, however they come.
#include <map>
#include <string>

#include "../../transport/frames.hpp"
#include "units.hpp"

using namespace transport;

namespace {

std::string frame(char type, char stream, const std::string& payload) {
    const std::string head{0, 0, char(payload.size()), type, 0, 0, 0, 0, stream};
    return head + payload;
}

}  // namespace

TEST(bytes_of_data_frames_are_known_wherever_they_are_cut) {
    constexpr char data = 0, headers = 1, settings = 4;
    const std::string bytes = std::string(24, 'p') + frame(settings, 0, "") + frame(data, 3, "abc") +
                              frame(headers, 5, "head") + frame(data, 5, "") + frame(data, 3, "defg");
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
        Frames frames;
        std::map<int, std::size_t> found;
        for (std::size_t at = 0; at < bytes.size(); at += size)
            frames.look(std::string_view(bytes).substr(at, size),
                        [&](int stream, std::size_t count) { found[stream] += count; });
        CHECK((found == std::map<int, std::size_t>{{3, 7}}));
    }
}
