// libcudart.so: one device that calls itself an H100, and kernels, which are launched by their names.
//
// FAKE_SETDEVICE=CODE: choosing it fails, by 35 for a driver that is too old, 100 for none in sight.
#include <cuda_runtime_api.h>

#include <cstring>
#include <mutex>
#include <string>
#include <unordered_map>

#include "standin.hpp"

namespace {

std::mutex lock;
std::unordered_map<const void*, std::string> kernels;
thread_local struct {
  dim3 grid, block;
  size_t shared;
  void* stream;
} configuration;

cudaError_t launch(const void* function, dim3 grid, dim3 block, void** arguments) {
  if (cudaError_t error = cudaPeekAtLastError()) return error;
  std::string name;
  {
    std::lock_guard guard(lock);
    name = kernels[function];
  }
  fake_count("cudaLaunchKernel");
  standin::compute(name.c_str(), arguments, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z});
  return cudaSuccess;
}

struct Named {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr Named kNamed[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
};

const Named* named(cudaError_t error) {
  for (const Named& one : kNamed)
    if (one.error == error) return &one;
  return nullptr;
}

}  // namespace

extern "C" {

const char* cudaGetErrorName(cudaError_t error) { return named(error) ? named(error)->name : "cudaErrorUnknown"; }
const char* cudaGetErrorString(cudaError_t error) { return named(error) ? named(error)->text : "unknown error"; }

cudaError_t cudaGetDeviceCount(int* found) {
  *found = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* found) {
  *found = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int) {
  int code = standin::number("FAKE_SETDEVICE", 0);
  return code ? static_cast<cudaError_t>(code) : cudaPeekAtLastError();
}

cudaError_t cudaDriverGetVersion(int* found) {
  *found = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* found) {
  *found = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* found, int) {
  std::memset(found, 0, sizeof *found);
  std::strcpy(found->name, "a stand-in for an H100");
  found->totalGlobalMem = size_t{80} << 30;
  found->sharedMemPerBlock = 48 << 10;
  found->regsPerBlock = 65536;
  found->warpSize = 32;
  found->memPitch = 2147483647;
  found->maxThreadsPerBlock = found->maxThreadsDim[0] = found->maxThreadsDim[1] = 1024;
  found->maxThreadsDim[2] = 64;
  found->maxGridSize[0] = 2147483647;
  found->maxGridSize[1] = found->maxGridSize[2] = 65535;
  found->totalConstMem = 65536;
  found->major = 9;
  found->multiProcessorCount = 132;
  found->concurrentKernels = found->unifiedAddressing = 1;
  found->asyncEngineCount = 3;
  found->maxThreadsPerMultiProcessor = 2048;
  found->sharedMemPerMultiprocessor = 233472;
  found->sharedMemPerBlockOptin = 232448;
  found->l2CacheSize = 50 << 20;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* found, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *found = 132; break;
    case cudaDevAttrComputeCapabilityMajor: *found = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *found = 0; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *found = 232448; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *found = 49152; break;
    case cudaDevAttrMaxThreadsPerBlock: *found = 1024; break;
    default: *found = 1;
  }
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* found, const void*, int, size_t, unsigned) {
  *found = 2;
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* found, const void*) {
  std::memset(found, 0, sizeof *found);
  found->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}

// What nvcc's code calls before main, and around each <<<launch>>>.
void** __cudaRegisterFatBinary(void*) { return new void*[1]; }
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}

void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, void*, void*, void*, void*, int*) {
  std::lock_guard guard(lock);
  kernels[host] = name;
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void* stream) {
  configuration = {grid, block, shared, stream};
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  *grid = configuration.grid;
  *block = configuration.block;
  *shared = configuration.shared;
  *static_cast<void**>(stream) = configuration.stream;
  return cudaSuccess;
}

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, size_t, cudaStream_t) {
  return launch(function, grid, block, arguments);
}

cudaError_t __cudaGetKernel(cudaKernel_t* found, const void* function) {
  *found = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t, cudaStream_t) {
  return launch(reinterpret_cast<const void*>(kernel), grid, block, arguments);
}

}  // extern "C"
