/*
 * net.h: requests go in, answers come out; HTTP, HTTPS, SMTP and SMTPS through libcurl.
 *
 * One WfNet is one loop of transfers in one process. It never waits: whoever owns it waits on wf_net_fd() beside its
 * latch, for at most wf_net_timeout_ms(), then lets it work. The life of a request:
 *
 *   1. wf_net_submit copies it; nothing is connected yet.
 *   2. wf_net_turn starts it, moves it, follows its redirects, ends it.
 *   3. wf_net_take gives its result, once. Every request that was submitted and not cancelled has one, also one that
 *      is malformed or forbidden: refusals are results (WF_NET_INVALID, WF_NET_BLOCKED), not errors.
 *
 * The loop of an owner:
 *
 *   set = CreateWaitEventSet(...); latch, postmaster death,
 *   AddWaitEventToSet(set, WL_SOCKET_READABLE, wf_net_fd(net), NULL, NULL);
 *   for (;;)
 *   {
 *       while (wf_net_in_flight(net) < wanted && there is a request) wf_net_submit(net, &request);
 *       wf_net_turn(net, 256);
 *       while ((result = wf_net_take(net)) != NULL) note(result);
 *       WaitEventSetWait(set, wf_net_timeout_ms(net), ...); ResetLatch; CHECK_FOR_INTERRUPTS;
 *   }
 *
 * No transaction is needed, and none should be open. Functions here throw for lack of memory only, never from within
 * libcurl; after an error the WfNet is destroyed with its memory context and all it has open is closed.
 *
 * What is never shared across partitions (tenant, credential, policy, ...): connections, TLS sessions, the cache of
 * names. Cookies are not kept at all. See README.md.
 */
#ifndef WF_NET_NET_H
#define WF_NET_NET_H

#include "postgres.h"

typedef struct WfNet WfNet;
typedef struct WfNetPolicy WfNetPolicy;

/* -- where requests may go -- */

/*
 * Lists of rules, separated by commas or white space; NULL and '' are empty. A rule is an address or a block
 * (10.0.0.0/8, fd00::/8), a host (api.example.com), a host pattern (*.example.com: every name below it, not itself;
 * *: every host), each with a port or without (10.0.0.5:8080, [fd00::/8]:443, *.example.com:443).
 *
 * In this order, the first that says no is what the result names:
 *   deny           closes, whatever else says yes
 *   (default)      loopback, private, link-local ... addresses are closed, unless `allow` opens them: by address, or
 *                  by the host of the URL
 *   tenant_deny    closes
 *   tenant_allow   when it is not empty: what it does not match is closed; it opens nothing
 */
typedef struct WfNetRules
{
	const char *allow;
	const char *deny;
	const char *tenant_allow;
	const char *tenant_deny;
} WfNetRules;

/*
 * The rules, compiled, in CurrentMemoryContext; NULL when one is malformed, with the reason in *problem (for a check of
 * a setting, too). Requests hold a copy.
 */
extern WfNetPolicy *wf_net_policy_create(const WfNetRules *rules, char **problem);

/*
 * May the address (text, no port: 10.0.0.1, fe80::1) be connected to at this port, for a URL of this host (NULL: none)? NULL when it
 * may, otherwise the reason with the rule, in CurrentMemoryContext. NULL policy: the defaults.
 */
extern char *wf_net_policy_refusal(const WfNetPolicy *policy, const char *host, const char *address, int port);

/*
 * A URL as requests use it, in CurrentMemoryContext: scheme and host in lower case, numbers in hosts as dotted quads,
 * names of other scripts as punycode, dot segments resolved, no fragment. NULL when it is malformed or of another scheme than
 * http and https, with the reason in *problem. host and path may be NULL pointers; else they get those parts, for
 * views, circuits and limits per host (port: the scheme's when there is none).
 */
extern char *wf_net_url_canonical(const char *url, char **host, int *port, char **path, char **problem);

/* -- requests -- */

typedef enum WfNetKind
{
	WF_NET_HTTP,				/* http and https */
	WF_NET_MAIL,				/* smtp and smtps; the policy does not apply unless is_bound */
} WfNetKind;

typedef struct WfNetHeader
{
	const char *name;
	const char *value;
	bool		secret;			/* not sent on to another origin by a redirect; Authorization and Cookie never are */
} WfNetHeader;

/* A part of a multipart/form-data body. */
typedef struct WfNetPart
{
	const char *name;
	const char *filename;		/* or NULL */
	const char *content_type;	/* or NULL */
	const char *data;
	size_t		data_bytes;
} WfNetPart;

/* Bytes that it takes in the body, at most, but for what frames it. */
extern size_t wf_net_part_bytes(const WfNetPart *part);

typedef enum WfNetAuthType
{
	WF_NET_AUTH_NONE,
	WF_NET_AUTH_BASIC,			/* user, password; SMTP: any method that the server offers */
	WF_NET_AUTH_BEARER,			/* token */
	WF_NET_AUTH_DIGEST,			/* user, password */
	WF_NET_AUTH_AWS,			/* user: access key, password: secret key, token: session token or NULL, region, service */
} WfNetAuthType;

typedef struct WfNetAuth
{
	WfNetAuthType type;
	const char *user;
	const char *password;
	const char *token;
	const char *region;
	const char *service;
} WfNetAuth;

/* SMTP without an s: when the connection becomes encrypted. */
typedef enum WfNetStartTls
{
	WF_NET_STARTTLS_AUTO,		/* when offered; required when there is a password */
	WF_NET_STARTTLS_REQUIRED,
	WF_NET_STARTTLS_NEVER,
} WfNetStartTls;

/* Zero is the default of every member; times of 0 mean the default named here. Strings are UTF-8, and may be freed after submit. */
typedef struct WfNetRequest
{
	int64		id;				/* the caller's; no two in flight with the same */
	WfNetKind	kind;

	/*
	 * Whose connections may be used: everything that must not be shared (tenant, credential), as one text. The policy,
	 * the CA file and the client's certificate need not be in it: they are added here.
	 */
	const char *partition;
	const WfNetPolicy *policy;	/* NULL: the defaults (private addresses closed) */
	bool		is_bound;		/* mail: the policy applies; to HTTP it always does */
	const char *holder;			/* who has the answers in memory, for max_buffered_bytes: a tenant; or NULL */

	const char *method;			/* NULL: GET, or POST when there is a body */
	const char *url;
	const WfNetHeader *headers;
	int			n_headers;
	const char *body;			/* bytes; NULL: none. Mail: the message, lines end with CRLF */
	size_t		body_bytes;
	const WfNetPart *parts;		/* instead of body: multipart/form-data, which sets Content-Type */
	int			n_parts;
	bool		body_is_secret;	/* a redirect to another origin that would carry the body is refused */

	WfNetAuth	auth;
	const char *client_cert_pem;	/* mutual TLS; or NULL */
	const char *client_key_pem;
	const char *client_key_password;
	const char *ca_file;		/* NULL: the system's */

	int			connect_timeout_ms;	/* 10 s: names, TCP, TLS */
	int			total_timeout_ms;	/* 30 s: all of it, with redirects */
	int			low_speed_bytes;	/* fewer bytes a second than this ... 0: no limit */
	int			low_speed_ms;		/* ... for so long: given up; 0: 30 s */
	int			max_redirects;		/* 0: none is followed: the answer is the 3xx */
	bool		allow_downgrade;	/* a redirect from https to http is followed */
	size_t		max_response_bytes;	/* 10 MB; of the body after decompression */
	size_t		max_header_bytes;	/* 64 kB; names and values */
	int			max_header_count;	/* 200 */

	/* mail */
	const char *mail_from;
	const char *const *mail_to;	/* envelope: to, cc and bcc */
	int			n_mail_to;
	WfNetStartTls starttls;

	/* For tests: answers instead of those of DNS, "host:port:address[,address]". */
	const char *const *resolve;
	int			n_resolve;
} WfNetRequest;

/* -- results -- */

typedef enum WfNetOutcome
{
	WF_NET_ANSWERED,			/* there is a status and all of the body; mail: accepted */
	WF_NET_INVALID,				/* the request is malformed; nothing was connected */
	WF_NET_BLOCKED,				/* the policy refuses the address; `rule` says which rule */
	WF_NET_UNRESOLVED,			/* no address for the host */
	WF_NET_UNREACHABLE,			/* no connection */
	WF_NET_TLS_FAILED,			/* handshake or certificate */
	WF_NET_TIMED_OUT,			/* connect, total or low speed */
	WF_NET_TOO_LARGE,			/* body or headers beyond their limit; reading stopped there */
	WF_NET_REDIRECT_REFUSED,	/* too many, or to where none may lead (the policy's refusal is WF_NET_BLOCKED) */
	WF_NET_BROKEN,				/* the connection broke, or what came is no HTTP */
	WF_NET_REFUSED,				/* mail: the server refused sender, recipient, login or message; `status` has its code */
	WF_NET_OVERLOADED,			/* this process holds max_buffered_bytes of answers, or has no descriptors left: try later */
} WfNetOutcome;

typedef struct WfNetResult
{
	int64		id;
	WfNetOutcome outcome;
	const char *message;		/* NULL when answered; lower case, without secrets, fit for an error's message */
	const char *rule;			/* blocked: the rule, such as "deny 10.0.0.0/8" or "loopback 127.0.0.0/8" */
	bool		was_sent;		/* the server may have seen the request (a retry may do it twice) */

	int			status;			/* 0: none came */
	const char *url;			/* of the last hop; may hold secrets of the request's query */
	int			redirects;		/* followed */
	WfNetHeader *headers;		/* of the last answer, in their order; names in lower case; values as they came (any bytes but NUL) */
	int			n_headers;
	char	   *body;			/* what came until then, also of a failure; never NULL, a NUL follows it */
	size_t		body_bytes;
	int			http_version;	/* 10, 11, 20; 0: none */

	/* Microseconds; names, TCP and TLS are those of the last hop, 0 with a connection that was there already. */
	int64		dns_us;			/* the time that it took, not the moment */
	int64		connect_us;
	int64		tls_us;
	int64		first_byte_us;	/* from the beginning of the last hop to the first byte of its answer; 0: none came */
	int64		total_us;		/* of all hops */
	int64		bytes_sent;		/* headers and bodies of all hops, as on the wire, without TLS */
	int64		bytes_received;
	const char *remote_address; /* connected to; '' when none was */
	int			remote_port;
	bool		connection_was_new;
} WfNetResult;

/* The name of an outcome as views and tests show it: "answered", "blocked" ... */
extern const char *wf_net_outcome_name(WfNetOutcome outcome);

/* A header of a result by its lower-case name, the first one; NULL when there is none. */
extern const char *wf_net_result_header(const WfNetResult *result, const char *name);

/*
 * Retry-After (seconds or a date) of a result in milliseconds from now_unix_ms; -1 when there is none or it says
 * nothing; at least 0.
 */
extern int64 wf_net_result_retry_after_ms(const WfNetResult *result, int64 now_unix_ms);

/* -- the loop -- */

/* Zero is the default. */
typedef struct WfNetLimits
{
	int			max_idle_connections;	/* 100: kept open for reuse, of a partition */
	int			max_partitions;			/* 256: idle ones beyond it are closed, the longest idle first */
	int			max_threads;			/* 500: of the process; beyond it no look-up of a name begins once some were given up */
	int			idle_ms;				/* 60 s: a partition without requests is closed */
	size_t		max_buffered_bytes;		/* 256 MB: answers that are not taken yet, of all requests, beyond some kB of each.
									 * A holder never has more than three quarters of what others leave */
} WfNetLimits;

/*
 * In a child of CurrentMemoryContext; dies with it, closing everything. Throws (58000) when the libcurl at hand is
 * too old, or lacks TLS or asynchronous name resolution.
 */
extern WfNet *wf_net_create(const WfNetLimits *limits);
extern void wf_net_destroy(WfNet *net);

/* An epoll descriptor: readable when there is something to do. */
extern int	wf_net_fd(WfNet *net);

/* How long to wait at most; 0: turn again at once, -1: nothing will happen by itself. */
extern int	wf_net_timeout_ms(WfNet *net);

/* Copies the request. It begins at the next turn. */
extern void wf_net_submit(WfNet *net, const WfNetRequest *request);

/* Works without waiting, on at most max_events sockets and as many new requests. True: there is more to do at once. */
extern bool wf_net_turn(WfNet *net, int max_events);

/*
 * A request that has ended, the first to end first; NULL: none. In CurrentMemoryContext, which owns all of it (the body
 * is not copied: it goes when the context is reset, or earlier with wf_net_result_free).
 */
extern WfNetResult *wf_net_take(WfNet *net);
extern void wf_net_result_free(WfNetResult *result);

/* Drops a request, with its connection if need be: there will be no result. False: no such request. */
extern bool wf_net_cancel(WfNet *net, int64 id);

/* Submitted, and neither taken nor cancelled. */
extern int	wf_net_in_flight(const WfNet *net);

#endif
