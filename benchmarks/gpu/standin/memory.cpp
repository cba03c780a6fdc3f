// libcudart.so: a device whose memory is the host's. What isn't written holds NaN, so that what was forgotten shows.
//
// FAKE_MEMORY=BYTES bounds it. FAKE_LOST=FILE: once FILE is there each call fails, as after an illegal access, and
// FAKE_HANGS=FILE: once that is there, no wait for the device ends.
#include <cuda_runtime_api.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "standin.hpp"

namespace {

constexpr size_t kAll = size_t{80} << 30;
std::mutex lock;
std::map<const char*, size_t> blocks;
std::map<std::string, long> counts;
std::atomic<size_t> live{0}, mallocs{0};

cudaError_t state() { return standin::has_come("FAKE_LOST") ? cudaErrorLaunchFailure : cudaSuccess; }

size_t capacity() {
  const char* text = std::getenv("FAKE_MEMORY");
  return text ? std::strtoull(text, nullptr, 10) : kAll;
}

void* filled(size_t bytes) {
  void* made = nullptr;
  if (posix_memalign(&made, 512, bytes ? bytes : 1)) return nullptr;
  return std::memset(made, 0xFF, bytes);
}

cudaError_t copy(void* to, const void* from, size_t bytes, const char* how) {
  if (cudaError_t error = state()) return error;
  std::memcpy(to, from, bytes);
  fake_count(how);
  return cudaSuccess;
}

cudaError_t wait(const char* what) {
  while (standin::has_come("FAKE_HANGS")) usleep(10'000);
  fake_count(what);
  return state();
}

template <class Handle>
cudaError_t made(Handle* handle, const char* what) {
  static std::atomic<long> last{1000};
  *handle = reinterpret_cast<Handle>(last += 16);
  fake_count(what);
  return cudaSuccess;
}

}  // namespace

extern "C" {

void fake_count(const char* name) {
  std::lock_guard guard(lock);
  ++counts[name];
}

long fake_counted(const char* name) {
  std::lock_guard guard(lock);
  auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

size_t fake_live() { return live; }
size_t fake_mallocs() { return mallocs; }

cudaError_t cudaMalloc(void** found, size_t bytes) {
  *found = nullptr;
  if (cudaError_t error = state()) return error;
  std::lock_guard guard(lock);
  ++mallocs;
  if (live + bytes > capacity()) return cudaErrorMemoryAllocation;
  *found = filled(bytes);
  blocks[static_cast<char*>(*found)] = bytes;
  live += bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* block) {
  std::lock_guard guard(lock);
  auto found = blocks.find(static_cast<char*>(block));
  if (found == blocks.end()) return cudaSuccess;
  live -= found->second;
  blocks.erase(found);
  std::free(block);
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* block, cudaStream_t) { return cudaFree(block); }

cudaError_t cudaMallocHost(void** found, size_t bytes) {
  *found = filled(bytes);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** found, size_t bytes, unsigned) { return cudaMallocHost(found, bytes); }

cudaError_t cudaFreeHost(void* block) {
  std::free(block);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = capacity();
  *free = *total - live;
  return state();
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  return copy(to, from, bytes, "cudaMemcpy");
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  return copy(to, from, bytes, "cudaMemcpyAsync");
}

cudaError_t cudaMemset(void* block, int value, size_t bytes) {
  std::memset(block, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* block, int value, size_t bytes, cudaStream_t) {
  return cudaMemset(block, value, bytes);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* found, const void* pointer) {
  std::memset(found, 0, sizeof *found);
  found->type = cudaMemoryTypeHost;
  std::lock_guard guard(lock);
  auto after = blocks.upper_bound(static_cast<const char*>(pointer));
  if (after != blocks.begin()) {
    auto [start, bytes] = *std::prev(after);
    if (static_cast<const char*>(pointer) < start + bytes) found->type = cudaMemoryTypeDevice;
  }
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* found, unsigned) { return made(found, "cudaStreamCreate"); }
cudaError_t cudaStreamCreate(cudaStream_t* found) { return made(found, "cudaStreamCreate"); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* found, unsigned) { return made(found, "cudaEventCreate"); }
cudaError_t cudaEventCreate(cudaEvent_t* found) { return made(found, "cudaEventCreate"); }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return wait("cudaStreamSynchronize"); }
cudaError_t cudaDeviceSynchronize() { return wait("cudaDeviceSynchronize"); }
cudaError_t cudaGetLastError() { return state(); }
cudaError_t cudaPeekAtLastError() { return state(); }

cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t function, void* argument) {
  function(argument);
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* found) {
  *found = cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

}  // extern "C"
