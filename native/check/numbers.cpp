// An embedding's numbers as responses have them: that all float32 are in JSON what std::to_chars makes of them, and how long
// rows take. check/numbers.sh builds it.
//
// numbers               compares every float32; some minutes
// numbers ROWS WIDTH    ROWS is a file of float32, WIDTH of them a row: prints nanoseconds of the processor for a number, by form
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../transport/codec_embed.hpp"
#include "../transport/codec_openai.hpp"
#include "../transport/json_number.hpp"
#include "units/to_chars.hpp"

using namespace transport;

namespace {

constexpr std::size_t rounds = 11, responses_rows = 1024;

double processor_s() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

int compare_all() {
    constexpr std::uint64_t infinite = 0x7f80'0000, at_once = 1 << 15;
    std::uint64_t wrong = 0;
    std::string json;
    std::vector<float> numbers(at_once);
    for (std::uint64_t first = 0; first < 2 * infinite; first += at_once) {
        for (std::uint64_t index = 0; index < at_once; ++index) {
            const std::uint64_t bits = first + index;
            numbers[index] = std::bit_cast<float>(std::uint32_t(bits < infinite ? bits : bits - infinite + (1u << 31)));
        }
        json.clear();
        json::append_numbers(json, numbers);
        wrong += json != units::list_by_to_chars(numbers);
    }
    std::printf("%llu of %llu lists of %llu numbers aren't as std::to_chars has them\n", (unsigned long long)wrong,
                (unsigned long long)(2 * infinite / at_once), (unsigned long long)at_once);
    return wrong > 0;
}

struct Rows {
    std::vector<float> numbers;
    std::size_t width;

    /// Returns the row with this index; after the last row, they repeat.
    Row row(std::size_t index) const {
        const std::size_t from = index * width % (numbers.size() / width * width);
        return {numbers.data() + from, width, index, {10, false}};
    }
};

/// Writes a list's response like the fast path; returns its size in bytes.
std::size_t respond(const Codec& codec, const Request& request, const Rows& rows) {
    std::string response;
    codec.begin(request, response);
    codec.append(request, rows.row(0), response);
    response.reserve((response.size() + response.size() / 16) * responses_rows);
    for (std::size_t index = 1; index < responses_rows; ++index) codec.append(request, rows.row(index), response);
    codec.end(request, {}, response);
    return response.size();
}

std::size_t respond_by_to_chars(const Rows& rows) {
    std::string response;
    for (std::size_t index = 0; index < responses_rows; ++index) {
        const Row row = rows.row(index);
        units::append_by_to_chars(response, {row.numbers, row.count});
        if (index == 0) response.reserve((response.size() + response.size() / 16) * responses_rows);
    }
    return response.size();
}

struct Form {
    const char* name;
    const Codec* codec;  // null: by std::to_chars
    Request request;
    std::vector<double> seconds{};
};

void measure(const Rows& rows) {
    const NamedModels models({{{""}, "\"m\"", "\"v\"", rows.width, {}}});
    const OpenAICodec json(models, Truncation::start);
    const EmbedCodec protobuf(models, {});
    const auto as = [](Encoding encoding, bool is_normalized) {
        Request request;
        request.options = {Truncation::start, is_normalized, 0, encoding};
        return request;
    };
    std::array forms{Form{"JSON by std::to_chars, rows as they are", nullptr, {}},
                     Form{"JSON", &json, as(Encoding::text, true)},
                     Form{"JSON, base64", &json, as(Encoding::base64, true)},
                     Form{"protobuf, float32", &protobuf, as(Encoding::float32, true)},
                     Form{"protobuf, float32, rows as they are", &protobuf, as(Encoding::float32, false)},
                     Form{"protobuf, float16", &protobuf, as(Encoding::float16, true)},
                     Form{"protobuf, int8", &protobuf, as(Encoding::int8, true)}};
    std::size_t bytes = 0;
    for (std::size_t round = 0; round < rounds; ++round)  // by turns: what else the machine does befalls them all
        for (Form& form : forms) {
            const double began = processor_s();
            bytes += form.codec ? respond(*form.codec, form.request, rows) : respond_by_to_chars(rows);
            form.seconds.push_back(processor_s() - began);
        }
    for (Form& form : forms) {
        std::nth_element(form.seconds.begin(), form.seconds.begin() + rounds / 2, form.seconds.end());
        std::printf("%.2f\t%s\n", 1e9 * form.seconds[rounds / 2] / double(responses_rows * rows.width), form.name);
    }
    std::fprintf(stderr, "%zu bytes\n", bytes);  // so that no compiler leaves anything out
}

}  // namespace

int main(int count, char** words) {
    if (count == 1) return compare_all();
    std::ifstream file(words[1], std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    Rows rows{std::vector<float>(content.size() / sizeof(float)), std::size_t(std::atoi(words[2]))};
    std::copy_n(content.data(), rows.numbers.size() * sizeof(float), reinterpret_cast<char*>(rows.numbers.data()));
    measure(rows);
}
