// A message as it is handed over to whoever answers it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace transport {

class Usage;

/// Message as whoever answers it gets it; it no longer refers to its call.
struct TakenMessage {
    std::uint64_t id;
    std::size_t method;
    std::string content;
    double deadline;
    std::vector<std::pair<std::size_t, std::string>> metadata;
    std::uint64_t caller, network;
    double arrived;
    std::size_t inflated_size;  // where the content is compressed
    bool is_compressed, is_lost;  // lost: it wasn't gzip
    bool is_plain;                // Python has to look at no header of it, nor at its key
    bool is_http;                 // it is none of Python's workers'
    bool is_in_stream;            // else its call has no other
    std::string key_digest;       // SHA-256 of its call's key; empty where callers need none
    std::shared_ptr<Usage> usage;  // of that key's holder; null where nothing counts it
};

}  // namespace transport
