/*
 * internal.h: what the files of this room share. Only files of net/ include it, and only it includes curl.h.
 *
 * Two kinds of memory meet here. What PostgreSQL's code makes (requests, partitions) is in memory contexts below
 * WfNet.memory. What libcurl's callbacks fill (bodies, headers) is malloc's, because a callback must not throw: it
 * returns an error code, and says why in WfNetTransfer.stop.
 */
#ifndef WF_NET_INTERNAL_H
#define WF_NET_INTERNAL_H

#include "postgres.h"

#ifdef SPI_H
#error "net/ knows no SPI"
#endif

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/compat.h"
#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "net/net.h"
#include "utils/hsearch.h"

#if !WF_COMPAT_CURL_AT_LEAST(7, 88, 0)
#error "workflow needs libcurl 7.88 or later"
#endif

/* The longest text of a rule, and of a reason, that a result gives; longer ones are cut. */
#define WF_NET_RULE_BYTES 160
#define WF_NET_WHY_BYTES 256
/* The longest URL. */
#define WF_NET_URL_BYTES 65536
/* Of the body of an answer that is a redirect to follow, so much is read to keep the connection. */
#define WF_NET_DISCARD_BYTES 65536
/* Hosts of which a partition remembers that they speak HTTP/2. */
#define WF_NET_MULTIPLEXED 16
/* Of each of the two buffers of an answer so much does not count in max_buffered_bytes, so that small answers always have room. */
#define WF_NET_OWN_BYTES 16384
/* Answers to one request on one connection: 1xx, challenges, the last one. */
#define WF_NET_MAX_ANSWERS 20

/*
 * Connections, TLS sessions and names of those that may share them: a CURLM of its own. Kept in WfNet.partitions,
 * the most recently used first, and while nobody uses it in WfNet.idle too, the longest idle first.
 */
typedef struct WfNetPartition
{
	dlist_node	node;
	dlist_node	idle_node;
	WfNet	   *net;
	MemoryContext memory;		/* of it and all below */
	char	   *key;			/* tenant, credential, policy ...: see partition.c */
	size_t		key_bytes;
	uint32		key_hash;
	WfNetPolicy *policy;		/* a copy; NULL: the defaults */
	CURLM	   *multi;
	CURL	  **spare;			/* handles for reuse */
	int			n_spare;
	int			spare_size;
	int			n_users;		/* transfers that are to use it, or do */
	int			connects_allowed;	/* CURLMOPT_MAXCONNECTS: connections in use and idle */
	uint32		multiplexed[WF_NET_MULTIPLEXED];	/* hosts that spoke HTTP/2 lately: hashes, 0: none */
	int			next_multiplexed;
	int64		idle_since_us;	/* when n_users became 0 */
	pairingheap_node timer;		/* in WfNet.timers while deadline_us >= 0 */
	int64		deadline_us;	/* when libcurl wants to be called; -1: never */
} WfNetPartition;

/* Those whose answers share a limit; in WfNet.holders while there are any. */
typedef struct WfNetHolder
{
	uint64		hash;			/* of its name */
	int			n_transfers;
	size_t		buffered_bytes;
} WfNetHolder;

typedef enum WfNetState
{
	WF_NET_WAITING,				/* in WfNet.waiting */
	WF_NET_ACTIVE,				/* in the multi of its partition */
	WF_NET_FINISHED,			/* in WfNet.finished */
} WfNetState;

/* A request on its way. */
typedef struct WfNetTransfer
{
	dlist_node	node;			/* in one of the lists, by state; of none while active */
	WfNetState	state;
	WfNet	   *net;
	WfNetPartition *partition;	/* NULL: none yet, or not any more */
	WfNetHolder *holder;
	MemoryContext memory;		/* of it and all below */
	WfNetRequest request;		/* a deep copy, but for partition, policy and holder */

	/* This hop; a redirect changes it. */
	char	   *url;			/* canonical */
	char	   *host;
	int			port;
	bool		is_tls;
	const char *method;
	bool		has_body;
	bool		is_origin;		/* the host, port and scheme of the request: secrets are sent */
	CURL	   *easy;
	struct curl_slist *headers;
	struct curl_slist *recipients;
	struct curl_slist *resolve;
	size_t		uploaded_bytes; /* mail: of the message */
	char		curl_error[CURL_ERROR_SIZE];

	/* What callbacks note. */
	bool		stopped;		/* a callback made libcurl give up, for this: */
	WfNetOutcome stop_outcome;
	char		stop_why[WF_NET_WHY_BYTES];
	char		rule[WF_NET_RULE_BYTES];	/* that refused an address */
	int			n_blocked;		/* addresses that the policy refused, of this hop */
	int			n_opened;		/* sockets opened, of this hop */
	bool		no_descriptor;	/* a socket could not be made */
	bool		request_begun;	/* the connection is there, and secure if it is to be: the request goes out next */
	int			status;			/* of the answer that is being read */
	int			n_answers;		/* status lines, of this hop */
	int			answers_before; /* those that came before it was sent, or was sent last */
	bool		body_begun;
	bool		is_redirect;	/* one that will be followed: its body is not kept */
	size_t		discarded_bytes;
	char	   *head;			/* malloc: header lines of the answer, as they came */
	size_t		head_bytes;
	size_t		head_size;
	int			head_count;
	char	   *body;			/* malloc */
	size_t		body_bytes;
	size_t		body_size;

	/* What is known at the end. */
	WfNetOutcome outcome;
	char	   *message;		/* NULL: answered */
	bool		was_sent;
	int			redirects;
	int			http_version;
	int64		begun_us;
	int64		dns_us;
	int64		connect_us;
	int64		tls_us;
	int64		first_byte_us;
	int64		total_us;
	int64		bytes_sent;
	int64		bytes_received;
	char		remote_address[64];
	int			remote_port;
	bool		connection_was_new;
} WfNetTransfer;

struct WfNet
{
	MemoryContext memory;		/* of it and all below; of TopMemoryContext, see wf_net_create */
	WfNet	  **owner;			/* what the owner's memory context knows it by */
	WfNetLimits limits;
	int			epoll_fd;
	WfNetPartition **by_fd;		/* malloc: whose socket a descriptor is */
	int			by_fd_size;
	dlist_head	partitions;
	dlist_head	idle;
	int			n_idle;
	pairingheap timers;
	dlist_head	waiting;
	dlist_head	finished;
	HTAB	   *by_id;			/* id: transfer */
	HTAB	   *holders;		/* WfNetHolder by hash */
	int			n_in_flight;
	size_t		buffered_bytes; /* heads and bodies, malloc'ed, beyond WF_NET_OWN_BYTES of each */
	bool		gave_up_names;	/* threads may still look up names that nobody waits for */
	bool		is_held;		/* what is waiting, all of it, waits for such threads to end */
	bool		no_descriptor;	/* one could not be had: idle partitions are closed */
};

/* Microseconds that only go forward. */
extern int64 wf_net_now_us(void);

/* -- partition.c -- */
extern WfNetPartition *wf_net_partition_get(WfNet *net, const WfNetRequest *request);
extern void wf_net_partition_close(WfNetPartition *partition);
extern CURL *wf_net_partition_handle(WfNetPartition *partition);
extern void wf_net_partition_handle_back(WfNetPartition *partition, CURL *easy);
extern void wf_net_partition_entered(WfNetTransfer *t);
extern void wf_net_partition_left(WfNetTransfer *t);
extern bool wf_net_partition_multiplexes(const WfNetTransfer *t);
extern void wf_net_partition_multiplexed(const WfNetTransfer *t);
extern void wf_net_partition_tidy(WfNet *net, int64 now_us);
extern int64 wf_net_partition_next_tidy_us(WfNet *net);
extern int	wf_net_partition_compare_timers(const pairingheap_node *a, const pairingheap_node *b, void *arg);

/* -- request.c -- */
extern WfNetTransfer *wf_net_transfer_make(WfNet *net, const WfNetRequest *request);
extern bool wf_net_request_check(WfNetTransfer *t, char **problem);

/* -- hop.c -- */
extern void wf_net_hop_start(WfNetTransfer *t);
extern void wf_net_hop_drop(WfNetTransfer *t);
extern bool wf_net_hop_needs_name(const WfNetTransfer *t);

/* -- receive.c: callbacks, which throw nothing -- */
extern CURLcode wf_net_receive_setup(WfNetTransfer *t);
extern void wf_net_receive_reset(WfNetTransfer *t);
extern void wf_net_receive_free(WfNetTransfer *t);
extern bool wf_net_head_find(const WfNetTransfer *t, const char *name, const char **value, size_t *bytes);

/* -- finish.c, result.c -- */
extern void wf_net_finish(WfNetTransfer *t, WfNetOutcome outcome, const char *message);
extern void wf_net_hop_done(WfNetTransfer *t, CURLcode code);

/* -- policy.c -- */
extern bool wf_net_policy_permits(const WfNetPolicy *policy, const char *host, const struct sockaddr *address,
								  char *rule, size_t rule_size);
extern bool wf_net_policy_permits_host(const WfNetPolicy *policy, const char *host, int port, char *rule, size_t rule_size);
extern const WfNetRules *wf_net_policy_rules(const WfNetPolicy *policy);

/* -- url.c -- */
typedef struct WfNetUrl
{
	char	   *text;			/* canonical */
	char	   *scheme;
	char	   *host;			/* lower case; no brackets around an IPv6 address */
	int			port;
	char	   *path;			/* without the query */
} WfNetUrl;
extern bool wf_net_url_parse(const char *text, const char *base, WfNetKind kind, WfNetUrl *out, char **problem);

#endif
