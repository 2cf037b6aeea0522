#include "jpeg.h"

#include <ATen/ATen.h>

#include <csetjmp>
#include <cstdio>
// Needs what stands above.
#include <jpeglib.h>

#include <algorithm>
#include <string>

#include "library.h"

namespace shallows {
namespace {

// What libjpeg calls where it cannot go on: it jumps back, as no exception may pass through it. A warning says that the data
// is damaged or incomplete, and the rest would be guessed: no picture either.
struct Failure {
  jpeg_error_mgr base;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];

  static void leave(j_common_ptr job) {
    auto* self = reinterpret_cast<Failure*>(job->err);
    self->base.format_message(job, self->message);
    std::longjmp(self->back, 1);
  }
  static void warn(j_common_ptr job, int level) {
    if (level < 0) leave(job);
  }
};

// One picture. Functions that libjpeg jumps out of have nothing to destroy.
class Decoder {
 public:
  Decoder() {
    job_.err = jpeg_std_error(&failure_.base);
    failure_.base.error_exit = Failure::leave;
    failure_.base.emit_message = Failure::warn;
    job_.client_data = nullptr;
  }
  ~Decoder() {
    if (created_) jpeg_destroy_decompress(&job_);
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Reads what stands before the pixels, and chooses the smallest fraction whose shorter side has `shorter` pixels.
  bool open(const uint8_t* bytes, size_t count, int64_t shorter) {
    if (setjmp(failure_.back)) return false;
    jpeg_create_decompress(&job_);
    created_ = true;
    jpeg_mem_src(&job_, bytes, count);
    jpeg_read_header(&job_, TRUE);
    job_.out_color_space = JCS_RGB;
    const int64_t side = std::min(job_.image_width, job_.image_height);
    job_.scale_num = 1;
    for (job_.scale_denom = 8; job_.scale_denom > 1; job_.scale_denom /= 2)
      if (shorter > 0 && side / job_.scale_denom >= shorter) break;
    jpeg_calc_output_dimensions(&job_);
    return true;
  }

  // Writes [height, width, 3].
  bool read(uint8_t* pixels) {
    if (setjmp(failure_.back)) return false;
    jpeg_start_decompress(&job_);
    const size_t row = 3 * static_cast<size_t>(job_.output_width);
    while (job_.output_scanline < job_.output_height) {
      JSAMPROW rows[16];
      const JDIMENSION count = std::min<JDIMENSION>(16, job_.output_height - job_.output_scanline);
      for (JDIMENSION i = 0; i < count; i++) rows[i] = pixels + (job_.output_scanline + i) * row;
      jpeg_read_scanlines(&job_, rows, count);
    }
    jpeg_finish_decompress(&job_);
    return true;
  }

  int64_t height() const { return job_.output_height; }
  int64_t width() const { return job_.output_width; }
  std::string message() const { return failure_.message; }

 private:
  jpeg_decompress_struct job_{};
  Failure failure_{};
  bool created_ = false;
};

at::Tensor decodeJpeg(const at::Tensor& bytes, int64_t shorter) {
  TORCH_CHECK(bytes.scalar_type() == at::kByte && bytes.dim() == 1 && bytes.is_cpu() && bytes.layout() == at::kStrided,
              "expected 'bytes' to be uint8[n] on the CPU, got ", bytes.toString(), bytes.sizes(),
              " - give the bytes of a JPEG file");
  TORCH_CHECK(shorter >= 0, "expected 'shorter' of at least 0, got ", shorter, " - 0 decodes the picture whole");
  const at::Tensor plain = bytes.contiguous();
  Decoder decoder;
  const auto check = [&](bool done) {
    TORCH_CHECK(done, "expected a JPEG file, got one that says: ", decoder.message(), " - replace the file");
  };
  check(decoder.open(plain.const_data_ptr<uint8_t>(), static_cast<size_t>(plain.numel()), shorter));
  const at::Tensor pixels = at::empty({decoder.height(), decoder.width(), 3}, plain.options());
  check(decoder.read(pixels.mutable_data_ptr<uint8_t>()));
  return pixels;
}

void define(torch::Library& library) {
  library.def("decode_jpeg(Tensor bytes, int shorter=0) -> Tensor");
  library.impl("decode_jpeg", torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, TORCH_FN(decodeJpeg)));
}

}  // namespace

void registerJpeg() { defineOnce("shallows::decode_jpeg", define); }

}  // namespace shallows
