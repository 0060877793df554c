// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_files.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/stat.h>

#include <unistd.h>

namespace weir::lab::synth {
namespace {

constexpr std::uint32_t kPcapMagic = 0xa1b2c3d4;
constexpr std::uint32_t kEthernetLink = 1;
constexpr std::uint32_t kSnapBytes = 65535;

template <std::size_t N>
void write_words(NewFile& file, const std::array<std::uint32_t, N>& words) noexcept {
    std::array<std::uint8_t, 4 * N> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(words[i / 4] >> (i % 4 * 8));
    }
    file.write(bytes.data(), bytes.size());
}

}  // namespace

NewFile::~NewFile() {
    if (file_ != nullptr) {
        static_cast<void>(std::fclose(file_));
    }
    if (!temporary_.empty()) {
        static_cast<void>(::unlink(temporary_.c_str()));
    }
}

tl::unexpected<Error> NewFile::cannot_write(int why) const {
    return fail(
        path_,
        {},
        std::string("cannot be written: ") + std::strerror(why),
        "check the directory, its rights and free space");
}

Result<void> NewFile::open(const std::string& path) {
    path_ = path;
    struct stat there {};
    if (::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
        return fail(path, {}, "is not a regular file", "name a file to create or replace");
    }
    const std::string temporary = path + ".tmp." + std::to_string(::getpid());
    static_cast<void>(::unlink(temporary.c_str()));  // left by a process of the same id that died
    file_ = std::fopen(temporary.c_str(), "wbxe");
    if (file_ == nullptr) {
        return cannot_write(errno);
    }
    temporary_ = temporary;
    return {};
}

void NewFile::write(const void* data, std::size_t bytes) noexcept {
    if (!failed_ && std::fwrite(data, 1, bytes, file_) != bytes) {
        failed_ = true;
        why_ = errno;
    }
}

Result<void> NewFile::complete() {
    if (!failed_ && (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0)) {
        failed_ = true;
        why_ = errno;
    }
    if (std::fclose(std::exchange(file_, nullptr)) != 0 && !failed_) {
        failed_ = true;
        why_ = errno;
    }
    if (failed_) {
        return cannot_write(why_);
    }
    return {};
}

Result<void> NewFile::rename_into_place() {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
        return cannot_write(errno);
    }
    temporary_.clear();
    return {};
}

void write_pcap_header(NewFile& file) noexcept {
    constexpr std::uint32_t kVersion = 2U | 4U << 16U;
    write_words<6>(file, {kPcapMagic, kVersion, 0, 0, kSnapBytes, kEthernetLink});
}

void write_pcap_packet(NewFile& file, std::uint64_t unix_us, Bytes frame) noexcept {
    const auto size = static_cast<std::uint32_t>(frame.size());
    write_words<4>(
        file,
        {static_cast<std::uint32_t>(unix_us / 1'000'000),
         static_cast<std::uint32_t>(unix_us % 1'000'000),
         size,
         size});
    file.write(frame.data(), frame.size());
}

void write_label_header(NewFile& file) noexcept {
    constexpr std::string_view kHeader = "file,proto,src,sport,dst,dport,label,group\n";
    file.write(kHeader.data(), kHeader.size());
}

void write_label(
    NewFile& file,
    std::string_view file_name,
    const Tuple& tuple,
    std::string_view label,
    std::string_view group) {
    std::string row(file_name);
    row.append(",").append(std::to_string(tuple.proto));
    row.append(",").append(tuple.initiator.text());
    row.append(",").append(std::to_string(tuple.initiator_port));
    row.append(",").append(tuple.responder.text());
    row.append(",").append(std::to_string(tuple.responder_port));
    row.append(",").append(label).append(",").append(group).append("\n");
    file.write(row.data(), row.size());
}

}  // namespace weir::lab::synth
