// libcuda.so.1 and libnvidia-ml.so.1: a driver, as it is asked before anything is computed.
//
// FAKE_INIT=CODE: cuInit fails. FAKE_DRIVER=VERSION: the newest CUDA that it knows, 13000 by default. FAKE_NVML=FILE: once
// FILE is there, NVML fails as after a driver was replaced under it.
#include <cstring>

#include "standin.hpp"

namespace {

enum { kMismatch = 18 };  // NVML_ERROR_LIB_RM_VERSION_MISMATCH

int nvml() { return standin::has_come("FAKE_NVML") ? kMismatch : 0; }

struct Memory {
  unsigned long long total, free, used;
};

}  // namespace

extern "C" {

int cuInit(unsigned) { return standin::number("FAKE_INIT", 0); }

int cuDriverGetVersion(int* found) {
  *found = standin::number("FAKE_DRIVER", 13000);
  return 0;
}

int cuGetErrorString(int code, const char** found) {
  *found = code == 100 ? "no CUDA-capable device is detected" : "unknown error";
  return 0;
}

int cuTensorMapEncodeTiled() { return 0; }

int nvmlInitWithFlags(unsigned) { return nvml(); }
int nvmlInit_v2() { return nvml(); }
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int code) { return code == kMismatch ? "Driver/library version mismatch" : "Unknown Error"; }

int nvmlDeviceGetHandleByIndex_v2(unsigned, void** found) {
  static int device;
  *found = &device;
  return nvml();
}

int nvmlDeviceGetMemoryInfo(void*, Memory* found) {
  *found = {80ull << 30, 79ull << 30, 1ull << 30};
  return nvml();
}

}  // extern "C"
