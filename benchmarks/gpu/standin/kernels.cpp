// The few kernels of onnxruntime's CUDA provider that an encoder's graph uses, on the host, by what their arguments are.
//
// FAKE_NOMATH=FILE: once FILE is there they compute nothing, as on a GPU that takes no time, but join the states, which are
// zeros then. FAKE_UNKNOWN=1 names those that would compute nothing anyway.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>

#include "standin.hpp"

namespace {

using standin::Size;

struct FastDivisor {  // onnxruntime's fast_divmod
  int value;
  uint32_t multiplier;
  int shift;
};

template <class T>
struct Array8 {  // onnxruntime's TArray
  int size;
  T data[8];
};

template <class T>
struct Array32 {
  int size;
  T data[32];
};

template <class T>
T& at(void** arguments, int place) {
  return *static_cast<T*>(arguments[place]);
}

float from_half(uint16_t half) {
  int exponent = half >> 10 & 31, mantissa = half & 1023;
  float value = exponent == 0    ? std::ldexp(static_cast<float>(mantissa), -24)
                : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                 : std::ldexp(1 + mantissa / 1024.0f, exponent - 15);
  return half >> 15 ? -value : value;
}

// An index past the table reads zeros, as gather_impl.cu does.
template <class T>
void gather(void** a) {
  const long input_block = at<long>(a, 0), most = at<long>(a, 1);
  const int output_block = at<FastDivisor>(a, 2).value, block = at<FastDivisor>(a, 3).value;
  const void* indices = at<const void*>(a, 4);
  const bool is_wide = at<size_t>(a, 5) == 8;
  const T* input = at<const T*>(a, 6);
  T* output = at<T*>(a, 7);
  for (int id = 0, count = at<int>(a, 8); id < count; ++id) {
    const int in_block = id % output_block, place = in_block / block;
    long index = is_wide ? static_cast<const int64_t*>(indices)[place] : static_cast<const int32_t*>(indices)[place];
    if (index < 0) index += most;
    const bool is_there = 0 <= index && index < most;
    output[id] = is_there ? input[id / output_block * input_block + index * block + in_block % block] : T(0);
  }
}

template <class T>
void transpose(void** a) {
  const int rank = at<int>(a, 0);
  const auto& strides = at<Array8<long>>(a, 1);
  const T* input = at<const T*>(a, 2);
  const auto& divisors = at<Array8<FastDivisor>>(a, 3);
  T* output = at<T*>(a, 4);
  for (int id = 0, count = at<int>(a, 5); id < count; ++id) {
    long from = 0;
    for (int axis = 0, rest = id; axis < rank; ++axis) {
      from += rest / divisors.data[axis].value * strides.data[axis];
      rest %= divisors.data[axis].value;
    }
    output[id] = input[from];
  }
}

// Float rows, four numbers a thread.
void transpose_4d(void** a, Size grid, Size block) {
  const auto &from = at<Array8<long>>(a, 0), &to = at<Array8<long>>(a, 2);
  const char* input = at<const char*>(a, 1);
  char* output = at<char*>(a, 3);
  const long rows = at<long>(a, 4), count = at<int>(a, 5);
  auto offset = [](const Array8<long>& strides, long z, long y, long row, long x) {
    return (z * strides.data[0] + y * strides.data[1] + row * strides.data[2]) / 4 + x * strides.data[3];
  };
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (long row = 0; row < rows && row < static_cast<long>(grid.x) * block.y; ++row)
        for (unsigned x = 0; x < block.x; ++x)
          if (const long place = offset(to, z, y, row, x); place < count)
            std::memcpy(output + place * 16, input + offset(from, z, y, row, x) * 16, 16);
}

void concatenate(void** a) {  // along the first axis, equal parts of 4-byte numbers
  const auto& parts = at<Array32<const void*>>(a, 4);
  const long bytes = at<int>(a, 5) / parts.size * 4L;
  for (int part = 0; part < parts.size; ++part) std::memcpy(at<char*>(a, 3) + part * bytes, parts.data[part], bytes);
}

// cuDNN's [step, row, both directions] to ONNX's [step, direction, row].
void reorder_directions(void** a) {
  const int batch = at<int>(a, 1), hidden = at<int>(a, 2), block = at<int>(a, 3);
  const float* input = at<const float*>(a, 6);
  float* output = at<float*>(a, 7);
  for (long id = 0, count = at<int>(a, 8); id < count; ++id) {
    const long step = id / block, row = id % block / hidden;
    const long place = row < batch ? 2 * row : (row - batch) * 2 + 1;
    output[id] = input[step * block + place * hidden + id % hidden];
  }
}

void halves_to_floats(void** a) {
  for (long id = 0, count = at<long>(a, 3); id < count; ++id) at<float*>(a, 1)[id] = from_half(at<uint16_t*>(a, 0)[id]);
}

}  // namespace

void standin::compute(const char* kernel, void** arguments, Size grid, Size block) {
  const std::string name = kernel;
  auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (has("_ConcatKernelSameConcatDimIi")) return concatenate(arguments);
  if (standin::has_come("FAKE_NOMATH")) return;
  if (has("_GatherKernelIsE")) return gather<uint16_t>(arguments);
  if (has("_GatherKernelIiE")) return gather<uint32_t>(arguments);
  if (has("15TransposeKernelIlE")) return transpose<int64_t>(arguments);
  if (has("15TransposeKernelIiE")) return transpose<int32_t>(arguments);
  if (has("_UnaryElementWiseI6__halffNS0_7OP_Cast")) return halves_to_floats(arguments);
  if (has("Transpose4DKernelParallelizeMultipleElementsPerThreadInInnermostDimILi4E"))
    return transpose_4d(arguments, grid, block);
  if (has("_BidirectionalDataKernelIfE")) return reorder_directions(arguments);
  if (standin::is_set("FAKE_UNKNOWN")) std::fprintf(stderr, "not computed: %.200s\n", kernel);
}
