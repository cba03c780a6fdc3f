// libcudnn.so.9: an LSTM as cuDNN's documentation has it, and the descriptors by which onnxruntime asks for one.
//
// Declares what it needs by itself, as cuDNN 9 does: opaque pointers and enumerators. Other cells give zeros. FAKE_TF32=1
// rounds as TF32 does where the default arithmetic is asked for; FAKE_NOMATH=FILE: once FILE is there, so does an LSTM.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "standin.hpp"

namespace {

enum Status { kSuccess = 0, kBadParameter = 2000 };
enum { kLstm = 2, kGru = 3, kBidirectional = 1, kNoBias = 0, kDefaultMath = 0 };

struct Tensor {
  int type, rank, sizes[8], strides[8];
};

struct Rnn {
  int mode, bias, direction, type, math, input, hidden;
  int gates() const { return mode == kLstm ? 4 : mode == kGru ? 3 : 1; }
  int directions() const { return direction == kBidirectional ? 2 : 1; }
};

struct Data {  // [step, row, number], padded
  int steps, rows, width;
  std::vector<int> lengths;
};

// Of each direction the input's weights of each gate [hidden, input], then the state's [hidden, hidden]; then all biases.
size_t matrix_at(const Rnn& rnn, int direction, int id) {
  const size_t gates = rnn.gates(), hidden = rnn.hidden, input = rnn.input;
  const size_t start = direction * gates * hidden * (input + hidden);
  return start + (id < rnn.gates() ? id * hidden * input : gates * hidden * input + (id - gates) * hidden * hidden);
}

size_t bias_at(const Rnn& rnn, int direction, int id) {
  const size_t gates = rnn.gates(), hidden = rnn.hidden;
  return rnn.directions() * gates * hidden * (rnn.input + hidden) + direction * 2 * gates * hidden + id * hidden;
}

float as_tf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0xFFF + (bits >> 13 & 1)) & 0xFFFFE000;
  std::memcpy(&value, &bits, 4);
  return value;
}

float sigmoid(float value) { return 1 / (1 + std::exp(-value)); }

float dot(const float* a, const float* b, int size) {
  float sum = 0;
  for (int place = 0; place < size; ++place) sum += a[place] * b[place];
  return sum;
}

// One direction of an LSTM over one row: gates i, f, g, o.
class Row {
 public:
  Row(const Rnn& rnn, const float* weights, int direction, bool rounds)
      : rnn_(rnn), weights_(weights), direction_(direction), rounds_(rounds), h(rnn.hidden), c(rnn.hidden),
        sums_(4 * rnn.hidden), x_(rnn.input), state_(rnn.hidden) {}

  void step(const float* input) {
    for (int place = 0; place < rnn_.input; ++place) x_[place] = rounded(input[place]);
    for (int place = 0; place < rnn_.hidden; ++place) state_[place] = rounded(h[place]);
    for (int gate = 0; gate < 4; ++gate) sum(gate);
    const int size = rnn_.hidden;
    for (int place = 0; place < size; ++place) {
      c[place] = sigmoid(sums_[size + place]) * c[place] + sigmoid(sums_[place]) * std::tanh(sums_[2 * size + place]);
      h[place] = sigmoid(sums_[3 * size + place]) * std::tanh(c[place]);
    }
  }

 private:
  float rounded(float value) const { return rounds_ ? as_tf32(value) : value; }

  void sum(int gate) {
    const float* of_input = weights_ + matrix_at(rnn_, direction_, gate);
    const float* of_state = weights_ + matrix_at(rnn_, direction_, 4 + gate);
    const float *first = weights_ + bias_at(rnn_, direction_, gate), *second = weights_ + bias_at(rnn_, direction_, 4 + gate);
    for (int place = 0; place < rnn_.hidden; ++place)
      sums_[gate * rnn_.hidden + place] = dot(of_input + place * rnn_.input, x_.data(), rnn_.input) +
                                          dot(of_state + place * rnn_.hidden, state_.data(), rnn_.hidden) +
                                          (rnn_.bias == kNoBias ? 0 : first[place] + second[place]);
  }

  const Rnn& rnn_;
  const float* weights_;
  const int direction_;
  const bool rounds_;

 public:
  std::vector<float> h, c;

 private:
  std::vector<float> sums_, x_, state_;
};

struct Forward {
  const Rnn& rnn;
  const Data& data;
  const float *x, *h_0, *c_0, *weights;
  float *y, *h_n, *c_n;
  bool rounds;

  void run_row(int direction, int row) const {
    const size_t size = rnn.hidden, at = (size_t(direction) * data.rows + row) * size;
    Row state(rnn, weights, direction, rounds);
    if (h_0) std::memcpy(state.h.data(), h_0 + at, size * 4);
    if (c_0) std::memcpy(state.c.data(), c_0 + at, size * 4);
    const int length = data.lengths[row];
    for (int step = 0; step < length; ++step) {
      const size_t time = direction ? length - 1 - step : step, place = time * data.rows + row;
      state.step(x + place * data.width);
      if (y) std::memcpy(y + (place * rnn.directions() + direction) * size, state.h.data(), size * 4);
    }
    if (h_n) std::memcpy(h_n + at, state.h.data(), size * 4);
    if (c_n) std::memcpy(c_n + at, state.c.data(), size * 4);
  }
};

template <class T>
int make(void** found) {
  *found = new T{};
  return kSuccess;
}

template <class T>
int drop(void* made) {
  delete static_cast<T*>(made);
  return kSuccess;
}

}  // namespace

extern "C" {

size_t cudnnGetVersion() { return 92801; }
size_t cudnnGetCudartVersion() { return 13000; }
const char* cudnnGetErrorString(int) { return "a status of the stand-in's"; }
void cudnnGetLastErrorString(char* text, size_t size) {
  if (size) *text = 0;
}

int cudnnCreate(void** found) {
  fake_count("cudnnCreate");
  return make<char>(found);
}
int cudnnDestroy(void* handle) { return drop<char>(handle); }
int cudnnSetStream(void*, void*) { return kSuccess; }
int cudnnGetStream(void*, void** found) {
  *found = nullptr;
  return kSuccess;
}

int cudnnCreateTensorDescriptor(void** found) { return make<Tensor>(found); }
int cudnnDestroyTensorDescriptor(void* made) { return drop<Tensor>(made); }
int cudnnCreateFilterDescriptor(void** found) { return make<char>(found); }
int cudnnDestroyFilterDescriptor(void* made) { return drop<char>(made); }
int cudnnCreateDropoutDescriptor(void** found) { return make<char>(found); }
int cudnnDestroyDropoutDescriptor(void* made) { return drop<char>(made); }
int cudnnCreateReduceTensorDescriptor(void** found) { return make<char>(found); }
int cudnnDestroyReduceTensorDescriptor(void* made) { return drop<char>(made); }
int cudnnCreateRNNDescriptor(void** found) { return make<Rnn>(found); }
int cudnnDestroyRNNDescriptor(void* made) { return drop<Rnn>(made); }
int cudnnCreateRNNDataDescriptor(void** found) { return make<Data>(found); }
int cudnnDestroyRNNDataDescriptor(void* made) { return drop<Data>(made); }

int cudnnSetTensorNdDescriptor(void* tensor, int type, int rank, const int* sizes, const int* strides) {
  auto& set = *static_cast<Tensor*>(tensor);
  set.type = type;
  set.rank = rank;
  for (int axis = 0; axis < rank && axis < 8; ++axis) set.sizes[axis] = sizes[axis], set.strides[axis] = strides[axis];
  return kSuccess;
}

int cudnnGetTensorNdDescriptor(const void* tensor, int wanted, int* type, int* rank, int* sizes, int* strides) {
  const auto& set = *static_cast<const Tensor*>(tensor);
  *type = set.type;
  *rank = set.rank;
  for (int axis = 0; axis < wanted && axis < set.rank; ++axis) sizes[axis] = set.sizes[axis], strides[axis] = set.strides[axis];
  return kSuccess;
}

int cudnnDropoutGetStatesSize(void*, size_t* found) {
  *found = 1 << 20;
  return kSuccess;
}

int cudnnGetReductionWorkspaceSize(void*, void*, void*, void*, size_t* found) {
  *found = 1024;
  return kSuccess;
}

int cudnnGetReductionIndicesSize(void*, void*, void*, void*, size_t* found) {
  *found = 0;
  return kSuccess;
}

int cudnnSetRNNDescriptor_v8(void* rnn, int, int mode, int bias, int direction, int, int type, int, int math,
                             int32_t input, int32_t hidden, int32_t, int32_t, void*, uint32_t) {
  fake_count(math == kDefaultMath ? "an RNN that may use TF32" : "an RNN in float32");
  *static_cast<Rnn*>(rnn) = {mode, bias, direction, type, math, input, hidden};
  return kSuccess;
}

int cudnnSetRNNDataDescriptor(void* data, int, int, int steps, int rows, int width, const int* lengths, void*) {
  for (int row = 0; row < rows; ++row)
    if (lengths[row] < 0 || lengths[row] > steps) return kBadParameter;
  *static_cast<Data*>(data) = {steps, rows, width, {lengths, lengths + rows}};
  return kSuccess;
}

// About what the gates of all steps need.
int cudnnGetRNNTempSpaceSizes(void*, void* rnn, int, void* data, size_t* work, size_t* reserve) {
  const auto& of = *static_cast<Rnn*>(rnn);
  const auto& x = *static_cast<Data*>(data);
  const size_t cells = size_t(x.steps) * x.rows;
  *work = cells * 4 * (10 * of.hidden * of.directions() + x.width);
  if (reserve) *reserve = 0;
  return kSuccess;
}

int cudnnGetRNNWeightParams(void*, void* rnn, int32_t direction, size_t, const void* weights, int32_t id, void* matrix,
                            void** matrix_found, void* bias, void** bias_found) {
  const auto& of = *static_cast<Rnn*>(rnn);
  const int hidden = of.hidden, columns = id < of.gates() ? of.input : hidden;
  auto* all = static_cast<float*>(const_cast<void*>(weights));
  *static_cast<Tensor*>(matrix) = {of.type, 3, {1, hidden, columns}, {hidden * columns, columns, 1}};
  *static_cast<Tensor*>(bias) = {of.type, 3, {1, hidden, 1}, {hidden, 1, 1}};
  *matrix_found = all + matrix_at(of, direction, id);
  *bias_found = of.bias == kNoBias ? nullptr : all + bias_at(of, direction, id);
  return kSuccess;
}

int cudnnRNNForward(void*, void* descriptor, int, const int32_t*, void* x_data, const void* x, void*, void* y, void*,
                    const void* h_0, void* h_n, void*, const void* c_0, void* c_n, size_t bytes, const void* weights,
                    size_t, void*, size_t, void*) {
  fake_count("cudnnRNNForward");
  const auto& rnn = *static_cast<Rnn*>(descriptor);
  const auto& data = *static_cast<Data*>(x_data);
  const size_t states = size_t(rnn.directions()) * data.rows * rnn.hidden;
  const bool computes = !standin::has_come("FAKE_NOMATH") && rnn.mode == kLstm;
  if (y && computes) std::memset(y, 0, states * data.steps * 4);  // what stands in the padding
  if (!computes) {
    if (h_n) std::memset(h_n, 0, states * 4);
    return kSuccess;
  }
  auto of = [](const void* numbers) { return static_cast<const float*>(numbers); };
  const bool rounds = rnn.math == kDefaultMath && standin::is_set("FAKE_TF32");
  std::vector<float> own;
  if (rounds) {
    own.assign(of(weights), of(weights) + bytes / 4);
    for (size_t place = 0; place < bias_at(rnn, 0, 0); ++place) own[place] = as_tf32(own[place]);
  }
  const Forward forward{rnn, data, of(x), of(h_0), of(c_0), rounds ? own.data() : of(weights),
                        static_cast<float*>(y), static_cast<float*>(h_n), static_cast<float*>(c_n), rounds};
  for (int direction = 0; direction < rnn.directions(); ++direction)
    for (int row = 0; row < data.rows; ++row) forward.run_row(direction, row);
  return kSuccess;
}

}  // extern "C"
