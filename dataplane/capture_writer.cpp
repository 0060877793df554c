// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture_writer.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <pcap/pcap.h>
#include <unistd.h>

namespace weir::dataplane {

namespace {

constexpr int kSnapshotBytes = 262144;
constexpr std::uint64_t kUsPerS = 1'000'000;

struct PcapClose {
    void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};

}  // namespace

struct CaptureWriter::Impl {
    std::string path;
    std::string temporary;
    std::unique_ptr<pcap_t, PcapClose> pcap;
    pcap_dumper_t* dumper = nullptr;
    const rte_eth_rxtx_callback* callback = nullptr;
    std::uint16_t port_id = 0;
    int timestamp_offset = -1;
    std::vector<std::uint8_t> linear;
};

Result<std::unique_ptr<CaptureWriter>> CaptureWriter::create(
    const std::string& path, std::uint16_t port_id, int timestamp_offset) {
    std::unique_ptr<CaptureWriter> writer(new CaptureWriter);
    writer->impl_ = std::make_unique<Impl>();
    Impl& impl = *writer->impl_;
    impl.path = path;
    impl.temporary = path + ".tmp";
    impl.timestamp_offset = timestamp_offset;
    impl.port_id = port_id;
    impl.linear.resize(kSnapshotBytes);
    impl.pcap.reset(pcap_open_dead(DLT_EN10MB, kSnapshotBytes));
    impl.dumper =
        impl.pcap != nullptr ? pcap_dump_open(impl.pcap.get(), impl.temporary.c_str()) : nullptr;
    if (impl.dumper == nullptr) {
        return fail(
            path,
            {},
            "cannot write: " + std::string(impl.pcap ? pcap_geterr(impl.pcap.get()) : "no memory"),
            "check the folder and its permissions");
    }
    impl.callback = rte_eth_add_tx_callback(
        port_id,
        0,
        [](std::uint16_t, std::uint16_t, rte_mbuf* packets[], std::uint16_t count, void* self)
            -> std::uint16_t {
            for (std::uint16_t i = 0; i < count; ++i) {
                static_cast<CaptureWriter*>(self)->write(*packets[i]);
            }
            return count;
        },
        writer.get());
    if (impl.callback == nullptr) {
        return fail(path, {}, "cannot watch the sending port", "this DPDK lacks ethdev callbacks");
    }
    return writer;
}

void CaptureWriter::write(const rte_mbuf& mbuf) {
    Impl& impl = *impl_;
    const auto length = std::min<std::uint32_t>(mbuf.pkt_len, kSnapshotBytes);
    const void* data = rte_pktmbuf_read(&mbuf, 0, length, impl.linear.data());
    if (data == nullptr) {
        return;
    }
    const std::uint64_t us =
        *RTE_MBUF_DYNFIELD(&mbuf, impl.timestamp_offset, const rte_mbuf_timestamp_t*);
    pcap_pkthdr header{};
    header.ts.tv_sec = static_cast<time_t>(us / kUsPerS);
    header.ts.tv_usec = static_cast<suseconds_t>(us % kUsPerS);
    header.caplen = length;
    header.len = mbuf.pkt_len;
    pcap_dump(reinterpret_cast<u_char*>(impl.dumper), &header, static_cast<const u_char*>(data));
}

Result<void> CaptureWriter::commit() {
    Impl& impl = *impl_;
    const bool written = pcap_dump_flush(impl.dumper) == 0 &&
                         std::ferror(pcap_dump_file(impl.dumper)) == 0 &&
                         fsync(fileno(pcap_dump_file(impl.dumper))) == 0;
    if (!written || std::rename(impl.temporary.c_str(), impl.path.c_str()) != 0) {
        return fail(
            impl.path,
            {},
            std::string("cannot write: ") + std::strerror(errno),
            "check free space and permissions");
    }
    impl.temporary.clear();
    return {};
}

CaptureWriter::~CaptureWriter() {
    if (impl_->callback != nullptr) {
        rte_eth_remove_tx_callback(impl_->port_id, 0, impl_->callback);
    }
    if (impl_->dumper != nullptr) {
        pcap_dump_close(impl_->dumper);
        if (!impl_->temporary.empty()) {
            std::remove(impl_->temporary.c_str());
        }
    }
}

}  // namespace weir::dataplane
