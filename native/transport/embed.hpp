// bothends.v1's EmbedRequest and EmbedResponse, for the plainest of requests.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace transport {

/// Returns the sentences of an EmbedRequest that holds nothing else, as views of it; none where there are more than `most`, or
/// where it holds anything else.
std::vector<std::string_view> sentences_of(std::string_view request, std::size_t most);

struct Row {
    const float* numbers;
    std::size_t count;   // of numbers
    std::size_t tokens;  // that were read
    bool is_truncated;
};

/// Appends an EmbedResponse's embedding.
void append_embedding(std::string& response, const Row& row);

/// Appends an EmbedResponse's model_version.
void append_version(std::string& response, std::string_view version);

}  // namespace transport
