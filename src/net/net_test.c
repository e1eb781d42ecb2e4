/*
 * net_test.c: the room driven from SQL, for tests only.
 *
 * wf_sql_test_net(groups jsonb, options jsonb) RETURNS jsonb: groups is [[request, ...], ...]; the requests of a group are
 * in flight at once, groups follow one another, in one WfNet. Gives the results in the order of the requests,
 * grouped. A request has the members of WfNetRequest in camel case; "times": n stands for n of them, whose results
 * are one: the last, with "same": how many had its outcome and status, and "doneUs". "cancelMs" drops it after that time; its result is null. Options: "events" a turn
 * (64), "maxPartitions", "idleMs", "maxBufferedBytes", "maxIdle", "bodyChars": so much of each body is shown (4000).
 *
 * wf_sql_test_net_url(url text) RETURNS jsonb: {"url", "host", "port", "path"} or {"refused": why}.
 *
 * wf_sql_test_net_policy(policy jsonb, host text, address text, port int) RETURNS text: NULL when it may, or why not.
 *
 * wf_sql_test_net_bench(url text, n int, in_flight int, bare bool) RETURNS jsonb: n GETs; bare: with a libcurl loop that
 * does nothing else, for comparison. {"us", "cpuUs", "answered"}
 */
#ifdef WF_TESTING

#include "net/internal.h"

#include <sys/resource.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/json.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

PGDLLEXPORT Datum wf_sql_test_net(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_net);
PGDLLEXPORT Datum wf_sql_test_net_url(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_net_url);
PGDLLEXPORT Datum wf_sql_test_net_policy(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_net_policy);
PGDLLEXPORT Datum wf_sql_test_net_bench(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_net_bench);

/* -- reading requests -- */

static int64
get_int(const JsonbValue *object, const char *key, int64 otherwise)
{
	JsonbValue	v;
	int64		n;

	return wf_json_field(object, key, &v) && wf_json_int64(&v, &n) ? n : otherwise;
}

static bool
get_bool(const JsonbValue *object, const char *key)
{
	JsonbValue	v;

	return wf_json_field(object, key, &v) && v.type == jbvBool && v.val.boolean;
}

static const char *const *
get_strings(const JsonbValue *object, const char *key, int *n)
{
	JsonbValue	v;
	JsonbValue	element;
	const char **out;

	*n = 0;
	if (!wf_json_field(object, key, &v))
		return NULL;
	out = palloc0(sizeof(char *) * (wf_json_count(&v) + 1));
	for (uint32 i = 0; wf_json_element(&v, i, &element); i++)
		out[(*n)++] = wf_json_cstring(&element);
	return out;
}

static void
get_headers(const JsonbValue *object, WfNetRequest *r)
{
	JsonbValue	v;
	JsonbValue	name;
	JsonbValue	value;
	WfNetHeader *headers;
	WfJsonIter	it;
	int			n_secret;
	const char *const *secret = get_strings(object, "secret", &n_secret);

	if (!wf_json_field(object, "headers", &v))
		return;
	headers = palloc0(sizeof(WfNetHeader) * (wf_json_count(&v) + 1));
	wf_json_iter_begin(&it, &v);
	while (wf_json_iter_next(&it, &name, &value))
	{
		WfNetHeader *header = &headers[r->n_headers++];

		header->name = wf_json_cstring(&name);
		header->value = wf_json_cstring(&value);
		for (int i = 0; i < n_secret; i++)
			header->secret |= strcmp(secret[i], header->name) == 0;
	}
	r->headers = headers;
}

static void
get_body(const JsonbValue *object, WfNetRequest *r)
{
	JsonbValue	v;
	JsonbValue	part;
	WfNetPart  *parts;
	char	   *body = wf_json_get_cstring(object, "body");
	int64		zeros = get_int(object, "bodyBytes", -1);

	if (body != NULL)
		r->body_bytes = strlen(body);
	else if (zeros >= 0)
	{
		body = palloc(zeros + 1);
		memset(body, 'x', zeros);
		r->body_bytes = zeros;
	}
	r->body = body;
	if (!wf_json_field(object, "parts", &v))
		return;
	parts = palloc0(sizeof(WfNetPart) * (wf_json_count(&v) + 1));
	for (uint32 i = 0; wf_json_element(&v, i, &part); i++)
	{
		parts[i].name = wf_json_get_cstring(&part, "name");
		parts[i].filename = wf_json_get_cstring(&part, "filename");
		parts[i].content_type = wf_json_get_cstring(&part, "contentType");
		parts[i].data = wf_json_get_cstring(&part, "data");
		parts[i].data_bytes = parts[i].data == NULL ? 0 : strlen(parts[i].data);
		r->n_parts++;
	}
	r->parts = parts;
}

static void
get_auth(const JsonbValue *object, WfNetAuth *a)
{
	static const char *const types[] = {"none", "basic", "bearer", "digest", "aws"};
	JsonbValue	v;
	char	   *type;

	if (!wf_json_field(object, "auth", &v))
		return;
	type = wf_json_get_cstring(&v, "type");
	for (int i = 0; i < lengthof(types); i++)
		if (type != NULL && strcmp(type, types[i]) == 0)
			a->type = (WfNetAuthType) i;
	a->user = wf_json_get_cstring(&v, "user");
	a->password = wf_json_get_cstring(&v, "password");
	a->token = wf_json_get_cstring(&v, "token");
	a->region = wf_json_get_cstring(&v, "region");
	a->service = wf_json_get_cstring(&v, "service");
}

static WfNetPolicy *
get_policy(const JsonbValue *v)
{
	WfNetRules	rules;
	WfNetPolicy *policy;
	char	   *problem;

	rules.allow = wf_json_get_cstring(v, "allow");
	rules.deny = wf_json_get_cstring(v, "deny");
	rules.tenant_allow = wf_json_get_cstring(v, "tenantAllow");
	rules.tenant_deny = wf_json_get_cstring(v, "tenantDeny");
	policy = wf_net_policy_create(&rules, &problem);
	if (policy == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", problem));
	return policy;
}

static void
get_request(const JsonbValue *object, WfNetRequest *r)
{
	JsonbValue	v;
	char	   *kind = wf_json_get_cstring(object, "kind");
	char	   *starttls = wf_json_get_cstring(object, "starttls");

	memset(r, 0, sizeof(*r));
	r->kind = kind != NULL && strcmp(kind, "mail") == 0 ? WF_NET_MAIL : WF_NET_HTTP;
	r->partition = wf_json_get_cstring(object, "partition");
	r->holder = wf_json_get_cstring(object, "holder");
	if (wf_json_field(object, "policy", &v))
		r->policy = get_policy(&v);
	r->method = wf_json_get_cstring(object, "method");
	r->url = wf_json_get_cstring(object, "url");
	get_headers(object, r);
	get_body(object, r);
	get_auth(object, &r->auth);
	r->body_is_secret = get_bool(object, "bodyIsSecret");
	r->client_cert_pem = wf_json_get_cstring(object, "clientCert");
	r->client_key_pem = wf_json_get_cstring(object, "clientKey");
	r->client_key_password = wf_json_get_cstring(object, "clientKeyPassword");
	r->ca_file = wf_json_get_cstring(object, "caFile");
	r->connect_timeout_ms = (int) get_int(object, "connectTimeoutMs", 0);
	r->total_timeout_ms = (int) get_int(object, "timeoutMs", 0);
	r->low_speed_bytes = (int) get_int(object, "lowSpeedBytes", 0);
	r->low_speed_ms = (int) get_int(object, "lowSpeedMs", 0);
	r->max_redirects = (int) get_int(object, "maxRedirects", 0);
	r->allow_downgrade = get_bool(object, "allowDowngrade");
	r->max_response_bytes = get_int(object, "maxResponseBytes", 0);
	r->max_header_bytes = get_int(object, "maxHeaderBytes", 0);
	r->max_header_count = (int) get_int(object, "maxHeaderCount", 0);
	r->mail_from = wf_json_get_cstring(object, "mailFrom");
	r->mail_to = get_strings(object, "mailTo", &r->n_mail_to);
	r->starttls = starttls == NULL ? WF_NET_STARTTLS_AUTO :
		strcmp(starttls, "required") == 0 ? WF_NET_STARTTLS_REQUIRED : WF_NET_STARTTLS_NEVER;
	r->resolve = get_strings(object, "resolve", &r->n_resolve);
}

/* -- writing results -- */

static void
put_headers(WfJsonWriter *w, const WfNetResult *r)
{
	wf_json_key(w, "headers", 7);
	wf_json_begin_object(w);
	for (int i = 0; i < r->n_headers; i++)
		wf_json_put_field_cstring(w, r->headers[i].name, r->headers[i].value);
	wf_json_end_object(w);
}

static Jsonb *
result_json(const WfNetResult *r, int64 shown)
{
	WfJsonWriter *w = wf_json_writer_begin();
	char	   *body = pnstrdup(r->body, Min((int64) r->body_bytes, shown));

	for (char *c = body; *c != '\0'; c++)
		if ((unsigned char) *c >= 0x80)
			*c = '?';
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "outcome", wf_net_outcome_name(r->outcome));
	wf_json_put_field_cstring(w, "message", r->message);
	wf_json_put_field_cstring(w, "rule", r->rule);
	wf_json_put_field_bool(w, "sent", r->was_sent);
	wf_json_put_field_int64(w, "status", r->status);
	wf_json_put_field_cstring(w, "url", r->url);
	wf_json_put_field_int64(w, "redirects", r->redirects);
	put_headers(w, r);
	wf_json_put_field_cstring(w, "body", body);
	wf_json_put_field_int64(w, "bytes", r->body_bytes);
	wf_json_put_field_int64(w, "http", r->http_version);
	wf_json_put_field_int64(w, "dnsUs", r->dns_us);
	wf_json_put_field_int64(w, "connectUs", r->connect_us);
	wf_json_put_field_int64(w, "tlsUs", r->tls_us);
	wf_json_put_field_int64(w, "firstByteUs", r->first_byte_us);
	wf_json_put_field_int64(w, "totalUs", r->total_us);
	wf_json_put_field_int64(w, "sentBytes", r->bytes_sent);
	wf_json_put_field_int64(w, "receivedBytes", r->bytes_received);
	wf_json_put_field_cstring(w, "address", r->remote_address);
	wf_json_put_field_int64(w, "port", r->remote_port);
	wf_json_put_field_bool(w, "new", r->connection_was_new);
	wf_json_put_field_int64(w, "retryAfterMs", wf_net_result_retry_after_ms(r, INT64CONST(1700000000000)));
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- running -- */

/* A request of a group; its index in the group is above bit 32 of the ids of its copies. */
typedef struct Item
{
	Jsonb	   *result;
	char	   *same_key;		/* outcome and status of the last result */
	int64		same;
	int64		cancel_ms;
	int64		wanted;
	int64		done_us;		/* when its last result came, since the group began */
} Item;

static WaitEventSet *
wait_set(int fd)
{
	WaitEventSet *set;

	set = wf_compat_wait_event_set(3);
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(set, WL_SOCKET_READABLE, fd, NULL, NULL);
	return set;
}

static void
wait_a_moment(WaitEventSet *set, WfNet *net)
{
	WaitEvent	events[3];
	int			ms = wf_net_timeout_ms(net);

	WaitEventSetWait(set, ms < 0 || ms > 100 ? 100 : ms, events, lengthof(events), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
note_result(Item *items, const WfNetResult *r, int64 shown, int64 begun_us)
{
	Item	   *item = &items[r->id >> 32];
	char	   *key = psprintf("%d %d", r->outcome, r->status);

	item->same = item->same_key != NULL && strcmp(item->same_key, key) == 0 ? item->same + 1 : 1;
	item->same_key = key;
	item->done_us = wf_net_now_us() - begun_us;
	if (--item->wanted == 0 || item->result == NULL)
		item->result = result_json(r, shown);
}

static void
cancel_due(WfNet *net, Item *items, int n, int64 begun_us)
{
	for (int i = 0; i < n; i++)
		if (items[i].cancel_ms >= 0 && wf_net_now_us() - begun_us >= items[i].cancel_ms * 1000)
		{
			for (int64 j = 0; items[i].wanted > 0 && j < items[i].wanted; j++)
				(void) wf_net_cancel(net, ((int64) i << 32) + j);
			items[i].cancel_ms = -1;
		}
}

static void
run_group(WfNet *net, WaitEventSet *set, const JsonbValue *group, const JsonbValue *options, WfJsonWriter *w)
{
	int			n = wf_json_count(group);
	Item	   *items = palloc0(sizeof(Item) * (n + 1));
	int64		shown = get_int(options, "bodyChars", 4000);
	int64		events = get_int(options, "events", 64);
	int64		begun_us = wf_net_now_us();
	JsonbValue	v;
	WfNetRequest request;
	WfNetResult *result;

	for (int i = 0; i < n && wf_json_element(group, i, &v); i++)
	{
		get_request(&v, &request);
		items[i].wanted = get_int(&v, "times", 1);
		items[i].cancel_ms = get_int(&v, "cancelMs", -1);
		for (int64 j = 0; j < items[i].wanted; j++)
		{
			request.id = ((int64) i << 32) + j;
			wf_net_submit(net, &request);
		}
	}
	while (wf_net_in_flight(net) > 0)
	{
		bool		more = wf_net_turn(net, (int) events);

		while ((result = wf_net_take(net)) != NULL)
		{
			note_result(items, result, shown, begun_us);
			wf_net_result_free(result);
		}
		cancel_due(net, items, n, begun_us);
		if (!more && wf_net_in_flight(net) > 0)
			wait_a_moment(set, net);
	}
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
	{
		if (items[i].result == NULL)
			wf_json_put_null(w);
		else if (get_int(wf_json_element(group, i, &v) ? &v : NULL, "times", 1) == 1)
			wf_json_put_jsonb(w, items[i].result);
		else
		{
			wf_json_begin_object(w);
			wf_json_put_field_int64(w, "same", items[i].same);
			wf_json_put_field_int64(w, "doneUs", items[i].done_us);
			wf_json_key(w, "last", 4);
			wf_json_put_jsonb(w, items[i].result);
			wf_json_end_object(w);
		}
	}
	wf_json_end_array(w);
}

Datum
wf_sql_test_net(PG_FUNCTION_ARGS)
{
	JsonbValue	groups;
	JsonbValue	options;
	JsonbValue	group;
	WfNetLimits limits = {0};
	WfNet	   *net;
	WaitEventSet *set;
	WfJsonWriter *w;

	wf_json_root(PG_GETARG_JSONB_P(0), &groups);
	wf_json_root(PG_GETARG_JSONB_P(1), &options);
	limits.max_partitions = (int) get_int(&options, "maxPartitions", 0);
	limits.max_threads = (int) get_int(&options, "maxThreads", 0);
	limits.max_idle_connections = (int) get_int(&options, "maxIdle", 0);
	limits.idle_ms = (int) get_int(&options, "idleMs", 0);
	limits.max_buffered_bytes = get_int(&options, "maxBufferedBytes", 0);
	net = wf_net_create(&limits);
	set = wait_set(wf_net_fd(net));
	w = wf_json_writer_begin();
	wf_json_begin_array(w);
	for (uint32 i = 0; wf_json_element(&groups, i, &group); i++)
		run_group(net, set, &group, &options, w);
	wf_json_end_array(w);
	FreeWaitEventSet(set);
	if (!get_bool(&options, "leave"))
		wf_net_destroy(net);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

/* -- URLs and policies -- */

Datum
wf_sql_test_net_url(PG_FUNCTION_ARGS)
{
	char	   *host;
	char	   *path;
	char	   *problem;
	int			port;
	char	   *url = wf_net_url_canonical(text_to_cstring(PG_GETARG_TEXT_PP(0)), &host, &port, &path, &problem);
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	if (url == NULL)
		wf_json_put_field_cstring(w, "refused", problem);
	else
	{
		wf_json_put_field_cstring(w, "url", url);
		wf_json_put_field_cstring(w, "host", host);
		wf_json_put_field_int64(w, "port", port);
		wf_json_put_field_cstring(w, "path", path);
	}
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

Datum
wf_sql_test_net_policy(PG_FUNCTION_ARGS)
{
	JsonbValue	v;
	WfNetPolicy *policy = NULL;
	char	   *host = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *refusal;

	if (!PG_ARGISNULL(0))
	{
		wf_json_root(PG_GETARG_JSONB_P(0), &v);
		policy = get_policy(&v);
	}
	refusal = wf_net_policy_refusal(policy, host, text_to_cstring(PG_GETARG_TEXT_PP(2)), PG_GETARG_INT32(3));
	if (refusal == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(refusal));
}

/* -- the bench -- */

static size_t
swallow(char *data, size_t unit, size_t n, void *arg)
{
	return unit * n;
}

typedef struct Bare
{
	CURLM	   *multi;
	int			epoll_fd;
	long		timeout_ms;
	int64		answered;
} Bare;

static int
bare_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	Bare	   *bare = arg;
	struct epoll_event event = {.data.fd = fd};

	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(bare->epoll_fd, EPOLL_CTL_DEL, fd, NULL), 0;
	epoll_ctl(bare->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	curl_multi_assign(bare->multi, fd, bare);
	return 0;
}

static int
bare_timer(CURLM *multi, long timeout_ms, void *arg)
{
	((Bare *) arg)->timeout_ms = timeout_ms;
	return 0;
}

/* As many GETs as are wanted, with each handle used again and again; nothing can throw in here. */
static int64
bare_loop(const char *url, int n, int in_flight)
{
	Bare		bare = {.multi = curl_multi_init(),.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	CURLMsg    *message;
	CURL	   *easy;
	struct epoll_event events[256];
	int			running = 1;
	int			left;
	int			begun = 0;
	int			done = 0;

	curl_multi_setopt(bare.multi, CURLMOPT_SOCKETFUNCTION, bare_socket);
	curl_multi_setopt(bare.multi, CURLMOPT_SOCKETDATA, &bare);
	curl_multi_setopt(bare.multi, CURLMOPT_TIMERFUNCTION, bare_timer);
	curl_multi_setopt(bare.multi, CURLMOPT_TIMERDATA, &bare);
	curl_multi_setopt(bare.multi, CURLMOPT_MAXCONNECTS, (long) in_flight + in_flight / 4);
	for (; begun < Min(n, in_flight); begun++)
	{
		easy = curl_easy_init();
		curl_easy_setopt(easy, CURLOPT_URL, url);
		curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
		curl_multi_add_handle(bare.multi, easy);
	}
	while (done < n)
	{
		int			ready = epoll_wait(bare.epoll_fd, events, lengthof(events), (int) bare.timeout_ms);

		if (ready <= 0)
		{
			bare.timeout_ms = -1;	/* a timer fires once */
			curl_multi_socket_action(bare.multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		for (int i = 0; i < ready; i++)
			curl_multi_socket_action(bare.multi, events[i].data.fd,
									 (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
									 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
									 (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0), &running);
		while ((message = curl_multi_info_read(bare.multi, &left)) != NULL)
		{
			easy = message->easy_handle;
			bare.answered += message->data.result == CURLE_OK;
			done++;
			curl_multi_remove_handle(bare.multi, easy);
			if (begun++ < n)
				curl_multi_add_handle(bare.multi, easy);
			else
				curl_easy_cleanup(easy);
		}
	}
	curl_multi_cleanup(bare.multi);
	close(bare.epoll_fd);
	return bare.answered;
}

static int64
our_loop(const char *url, int n, int in_flight)
{
	static const WfNetRules rules = {.allow = "127.0.0.0/8, ::1"};
	WfNetLimits limits = {0};
	WfNet	   *net = wf_net_create(&limits);
	WaitEventSet *set = wait_set(wf_net_fd(net));
	char	   *problem;
	WfNetRequest request = {.url = url,.policy = wf_net_policy_create(&rules, &problem)};
	MemoryContext turn = AllocSetContextCreate(CurrentMemoryContext, "turn", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(turn);
	WfNetResult *result;
	int64		answered = 0;

	while (request.id < n || wf_net_in_flight(net) > 0)
	{
		bool		more;

		while (request.id < n && wf_net_in_flight(net) < in_flight)
		{
			request.id++;
			wf_net_submit(net, &request);
		}
		more = wf_net_turn(net, 256);
		while ((result = wf_net_take(net)) != NULL)
			answered += result->outcome == WF_NET_ANSWERED;
		MemoryContextReset(turn);
		if (!more && (request.id == n || wf_net_in_flight(net) == in_flight))
			wait_a_moment(set, net);
	}
	MemoryContextSwitchTo(old);
	FreeWaitEventSet(set);
	wf_net_destroy(net);
	return answered;
}

static double
cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

Datum
wf_sql_test_net_bench(PG_FUNCTION_ARGS)
{
	char	   *url = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			n = PG_GETARG_INT32(1);
	int			in_flight = PG_GETARG_INT32(2);
	bool		is_bare = PG_GETARG_BOOL(3);
	WfNetLimits limits = {0};
	double		cpu = cpu_seconds();
	int64		begun_us = wf_net_now_us();
	int64		answered;
	WfJsonWriter *w;

	if (is_bare)
		wf_net_destroy(wf_net_create(&limits));	/* sets up libcurl */
	answered = is_bare ? bare_loop(url, n, in_flight) : our_loop(url, n, in_flight);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "us", wf_net_now_us() - begun_us);
	wf_json_put_field_int64(w, "cpuUs", (int64) ((cpu_seconds() - cpu) * 1e6));
	wf_json_put_field_int64(w, "answered", answered);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

#endif
