// The kernel's part of the media relay: packets of streams whose ends are known are sent on where
// they arrive, without waking anybody. Everything that is not in the map, or in any way unusual,
// goes on to our socket as if this were not there.
//
// Built by `make bpf`; loaded by centrex/runtime/relay/ebpf/path.py, which has the same layouts.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stddef.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define HTONS(x) ((__u16)__builtin_bswap16(x))

// helper functions, by the numbers of linux/bpf.h
static void *(*map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static __u64 (*ktime_get_ns)(void) = (void *)BPF_FUNC_ktime_get_ns;
static long (*skb_load_bytes)(const void *skb, __u32 at, void *to, __u32 octets) =
    (void *)BPF_FUNC_skb_load_bytes;
static long (*l3_csum_replace)(void *skb, __u32 at, __u64 from, __u64 to, __u64 flags) =
    (void *)BPF_FUNC_l3_csum_replace;
static long (*l4_csum_replace)(void *skb, __u32 at, __u64 from, __u64 to, __u64 flags) =
    (void *)BPF_FUNC_l4_csum_replace;
static __s64 (*csum_diff)(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __u32 seed) =
    (void *)BPF_FUNC_csum_diff;
static long (*redirect_neigh)(__u32 ifindex, void *params, int octets, __u64 flags) =
    (void *)BPF_FUNC_redirect_neigh;

// Addresses of IPv4 are kept as IPv6 maps them (RFC 4291 §2.5.5.2).
struct pair {
	__u32 source[4];
	__u32 target[4];
	__be16 source_port;
	__be16 target_port;
};

struct stream {
	struct pair out;  // what a packet carries when it leaves
	__u32 ifindex;    // where it leaves; 0 for an end on this host
	__u32 mtu;        // octets of the longest IP packet that passes there
	__u32 clock_rate; // ticks per second of RTP timestamps; 0 for no figures
	__u32 next;       // the sequence number that would be next, plus 65536 once there was one
	__u64 packets;
	__u64 octets;     // of UDP payload
	__s64 lost;
	__u64 jitter_ns;
	__u64 heard_ns;   // when the last packet came
	__u32 timestamp;  // its RTP timestamp
	__u32 source;     // its synchronization source
};

struct {
	int (*type)[BPF_MAP_TYPE_HASH];
	struct pair *key;
	struct stream *value;
} streams SEC(".maps");

enum { NEXT = -1, ETHER = sizeof(struct ethhdr), HALF = 1 << 15, DROPOUT = 3000, MISORDER = 100 };

// RFC 3550 §A.1, §A.3 and §A.8, as centrex/rtp/quality.py has them; but of the sources of a stream
// only the one heard last is remembered, and the loss is that of all of them.
INLINE void measure(struct stream *stream, const __u8 *rtp, __u64 now)
{
	if (rtp[0] >> 6 != 2 || (rtp[1] >= 192 && rtp[1] <= 223))
		return;
	__u32 sequence = (__u32)rtp[2] << 8 | rtp[3];
	__u32 timestamp = (__u32)rtp[4] << 24 | (__u32)rtp[5] << 16 | (__u32)rtp[6] << 8 | rtp[7];
	__u32 source;
	__builtin_memcpy(&source, rtp + 8, sizeof source);
	if (source != stream->source) {
		stream->source = source;
		stream->next = 0; // its numbers have nothing to do with those before
		stream->jitter_ns = 0;
	}
	__u32 next = stream->next;
	if (next == 0x10000 + sequence) {
		__s64 passed = (__s64)(now - stream->heard_ns);
		__s32 ticks = (__s32)(timestamp - stream->timestamp);
		__u64 size = ticks < 0 ? -(__s64)ticks : ticks;
		__s64 meant = (__s64)(size * 1000000000ULL / stream->clock_rate);
		__s64 difference = passed - (ticks < 0 ? -meant : meant);
		if (difference < 0)
			difference = -difference;
		stream->jitter_ns += (difference - (__s64)stream->jitter_ns) >> 4;
	} else if (next) {
		__u32 gap = (sequence - next) & 0xffff;
		if (gap < DROPOUT) {
			stream->lost += gap;
		} else if (gap > 0x10000 - MISORDER) {
			stream->lost -= 1;
			return; // late, or twice
		}
	}
	stream->next = 0x10000 + ((sequence + 1) & 0xffff);
	stream->timestamp = timestamp;
}

INLINE void count(struct __sk_buff *skb, struct stream *stream, __u32 payload, __u32 octets)
{
	__u64 now = ktime_get_ns();
	__sync_fetch_and_add(&stream->packets, 1);
	__sync_fetch_and_add(&stream->octets, octets);
	if (stream->clock_rate && octets >= 12) {
		__u8 rtp[12];
		if (!skb_load_bytes(skb, payload, rtp, sizeof rtp))
			measure(stream, rtp, now);
	}
	stream->heard_ns = now;
}

// RTCP on the port of RTP (RFC 5761): our socket sends it on, and reads what it reports.
INLINE int is_report(struct __sk_buff *skb, struct stream *stream, __u32 payload)
{
	__u8 head[2];
	if (!stream->clock_rate || skb_load_bytes(skb, payload, head, sizeof head))
		return 0;
	return head[0] >> 6 == 2 && head[1] >= 192 && head[1] <= 223;
}

INLINE int leave(__u32 ifindex)
{
	return ifindex ? redirect_neigh(ifindex, 0, 0, 0) : NEXT;
}

INLINE int relay4(struct __sk_buff *skb, void *data, void *end)
{
	struct iphdr *ip = data + ETHER;
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end || ip->protocol != IPPROTO_UDP || ip->ihl != 5)
		return NEXT;
	if (ip->frag_off & HTONS(0x3fff) || ip->ttl < 2)
		return NEXT;
	struct pair key = {
		.source = { 0, 0, 0xffff0000, ip->saddr },
		.target = { 0, 0, 0xffff0000, ip->daddr },
		.source_port = udp->source,
		.target_port = udp->dest,
	};
	struct stream *stream = map_lookup(&streams, &key);
	if (!stream || is_report(skb, stream, ETHER + sizeof *ip + sizeof *udp))
		return NEXT;
	if (HTONS(ip->tot_len) > stream->mtu) // our socket sends it in fragments
		return NEXT;
	__u32 octets = HTONS(udp->len);
	octets = octets < sizeof *udp ? 0 : octets - sizeof *udp;
	__u32 ifindex = stream->ifindex;
	int summed = udp->check != 0;
	__be32 from[3] = { ip->saddr, ip->daddr, (__u32)udp->source | (__u32)udp->dest << 16 };
	__be32 to[3] = { stream->out.source[3], stream->out.target[3],
			 (__u32)stream->out.source_port | (__u32)stream->out.target_port << 16 };
	ip->saddr = to[0];
	ip->daddr = to[1];
	udp->source = stream->out.source_port;
	udp->dest = stream->out.target_port;
	__s64 hosts = csum_diff(from, 8, to, 8, 0);
	__s64 ports = csum_diff(from + 2, 4, to + 2, 4, 0);
	__u32 ip_sum = ETHER + offsetof(struct iphdr, check);
	__u32 udp_sum = ETHER + sizeof *ip + offsetof(struct udphdr, check);
	if (ifindex) { // it is routed, and routing costs a hop
		__u16 before = ip->ttl, after = before - 1;
		ip->ttl = after;
		l3_csum_replace(skb, ip_sum, before, after, 2);
	}
	l3_csum_replace(skb, ip_sum, 0, hosts, 0);
	if (summed) {
		l4_csum_replace(skb, udp_sum, 0, hosts, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
		l4_csum_replace(skb, udp_sum, 0, ports, BPF_F_MARK_MANGLED_0);
	}
	count(skb, stream, ETHER + sizeof *ip + sizeof *udp, octets);
	return leave(ifindex);
}

INLINE int relay6(struct __sk_buff *skb, void *data, void *end)
{
	struct ipv6hdr *ip = data + ETHER;
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end || ip->nexthdr != IPPROTO_UDP || ip->hop_limit < 2)
		return NEXT;
	struct pair key = { .source_port = udp->source, .target_port = udp->dest };
	__builtin_memcpy(key.source, &ip->saddr, 16);
	__builtin_memcpy(key.target, &ip->daddr, 16);
	struct stream *stream = map_lookup(&streams, &key);
	if (!stream || !udp->check || is_report(skb, stream, ETHER + sizeof *ip + sizeof *udp))
		return NEXT;
	if (HTONS(ip->payload_len) + sizeof *ip > stream->mtu)
		return NEXT;
	__u32 octets = HTONS(udp->len);
	octets = octets < sizeof *udp ? 0 : octets - sizeof *udp;
	__u32 ifindex = stream->ifindex;
	__be32 from = (__u32)udp->source | (__u32)udp->dest << 16;
	__be32 to = (__u32)stream->out.source_port | (__u32)stream->out.target_port << 16;
	__s64 hosts = csum_diff(key.source, 32, stream->out.source, 32, 0);
	__s64 ports = csum_diff(&from, 4, &to, 4, 0);
	__builtin_memcpy(&ip->saddr, stream->out.source, 16);
	__builtin_memcpy(&ip->daddr, stream->out.target, 16);
	udp->source = stream->out.source_port;
	udp->dest = stream->out.target_port;
	if (ifindex)
		ip->hop_limit -= 1;
	__u32 udp_sum = ETHER + sizeof *ip + offsetof(struct udphdr, check);
	l4_csum_replace(skb, udp_sum, 0, hosts, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
	l4_csum_replace(skb, udp_sum, 0, ports, BPF_F_MARK_MANGLED_0);
	count(skb, stream, ETHER + sizeof *ip + sizeof *udp, octets);
	return leave(ifindex);
}

SEC("tc") int relay(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	if ((void *)(ethernet + 1) > end || skb->vlan_present || skb->gso_segs > 1)
		return NEXT;
	if (ethernet->h_proto == HTONS(ETH_P_IP))
		return relay4(skb, data, end);
	if (ethernet->h_proto == HTONS(ETH_P_IPV6))
		return relay6(skb, data, end);
	return NEXT;
}
