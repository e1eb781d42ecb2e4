/*
 * receive.c: what libcurl calls while a transfer goes on: where to connect, what came.
 *
 * Nothing here may throw, longjmp or call what does: libcurl's frames are below. Memory is malloc's; what goes wrong is
 * noted in the transfer, whose callback then returns what makes libcurl give up. Limits are enforced as bytes come: nothing is
 * read first and refused later.
 */
#include "net/internal.h"

#include <errno.h>
#include <unistd.h>

/* A buffer grows by so much at most: what is reserved and not used, others lack. */
#define STEP_BYTES (1024 * 1024)

/* Makes libcurl give up, for this reason; the first one stays. */
static void pg_attribute_printf(3, 4)
stop(WfNetTransfer *t, WfNetOutcome outcome, const char *fmt, ...)
{
	va_list		args;

	if (t->stopped)
		return;
	t->stopped = true;
	t->stop_outcome = outcome;
	va_start(args, fmt);
	vsnprintf(t->stop_why, sizeof(t->stop_why), fmt, args);
	va_end(args);
}

/* -- connecting -- */

/* Every address that is connected to passes here, whatever name led to it. */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	WfNetTransfer *t = arg;
	int			fd;

	if ((t->request.kind == WF_NET_HTTP || t->request.is_bound) &&
		!wf_net_policy_permits(t->partition->policy, t->host, &address->addr, t->rule, sizeof(t->rule)))
	{
		t->n_blocked++;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
	if (fd >= 0)
		t->n_opened++;
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
	{
		t->no_descriptor = true;
		t->net->no_descriptor = true;
	}
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* May it be done twice without harm, by its method? */
static bool
is_idempotent(const char *method)
{
	static const char *const words[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};

	for (int i = 0; i < lengthof(words); i++)
		if (strcmp(method, words[i]) == 0)
			return true;
	return false;
}

/*
 * The connection is there, a new one or an old one, and the server is who it is to be: what follows is the request. Again, and
 * with no answer in between: libcurl repeats what it sent over an old connection that was closed. Whether the server did it
 * before it closed nobody knows, so that is for the owner to decide, who counts attempts.
 */
static int
on_ready(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	WfNetTransfer *t = arg;

	if (t->request_begun && t->n_answers == t->answers_before && !is_idempotent(t->method))
	{
		stop(t, WF_NET_BROKEN, "the connection to \"%s\" broke: it was closed without an answer", t->host);
		return CURL_PREREQFUNC_ABORT;
	}
	t->request_begun = true;
	t->answers_before = t->n_answers;
	return CURL_PREREQFUNC_OK;
}

/* -- growing buffers -- */

/* What a buffer of this size takes of what all share: the first bytes are everybody's own. */
static size_t
shared_bytes(size_t size)
{
	return size > WF_NET_OWN_BYTES ? size - WF_NET_OWN_BYTES : 0;
}

/* May it grow from `size` to that? Three quarters of what others leave is what a holder may have, so nobody can have all. */
static bool
has_room(const WfNetTransfer *t, size_t size, size_t larger)
{
	size_t		most = t->net->limits.max_buffered_bytes;
	size_t		others = t->net->buffered_bytes - t->holder->buffered_bytes;
	size_t		share = (most - Min(others, most)) / 4 * 3;

	return shared_bytes(larger) - shared_bytes(size) <= share - Min(t->holder->buffered_bytes, share);
}

/* The buffer has another size. */
static void
count_buffer(WfNetTransfer *t, size_t before, size_t now)
{
	t->net->buffered_bytes += shared_bytes(now) - shared_bytes(before);
	t->holder->buffered_bytes += shared_bytes(now) - shared_bytes(before);
}

/*
 * Room for `more` bytes and a NUL in a buffer that never has more than `most` of them. It is doubled, up to a step; less when
 * that is all there is. False: stopped.
 */
static bool
reserve(WfNetTransfer *t, char **buffer, size_t *size, size_t used, size_t more, size_t most)
{
	size_t		needed = used + more + 1;
	size_t		wanted;
	char	   *bigger;

	if (needed <= *size)
		return true;
	wanted = Max(needed, Min(*size + Min(Max(*size, 1024), STEP_BYTES), most + 1));
	if (!has_room(t, *size, wanted))
		wanted = needed;
	if (!has_room(t, *size, wanted))
	{
		stop(t, WF_NET_OVERLOADED, "answers of other requests hold all of the %zu bytes that there are for them", t->net->limits.max_buffered_bytes);
		return false;
	}
	bigger = realloc(*buffer, wanted);
	if (bigger == NULL)
	{
		stop(t, WF_NET_OVERLOADED, "out of memory");
		return false;
	}
	count_buffer(t, *size, wanted);
	*buffer = bigger;
	*size = wanted;
	return true;
}

static bool
append(WfNetTransfer *t, char **buffer, size_t *size, size_t *used, const char *data, size_t bytes, size_t most)
{
	if (!reserve(t, buffer, size, *used, bytes, most))
		return false;
	memcpy(*buffer + *used, data, bytes);
	*used += bytes;
	(*buffer)[*used] = '\0';
	return true;
}

/* -- bodies -- */

static size_t
on_body(char *data, size_t unit, size_t n, void *arg)
{
	WfNetTransfer *t = arg;
	size_t		bytes = unit * n;
	size_t		most = t->request.max_response_bytes;
	size_t		fits;

	if (bytes == 0)
		return 0;
	t->body_begun = true;
	if (t->is_redirect)
	{
		t->discarded_bytes += bytes;
		return t->discarded_bytes > WF_NET_DISCARD_BYTES ? 0 : bytes;
	}
	fits = Min(bytes, most - t->body_bytes);
	if (!append(t, &t->body, &t->body_size, &t->body_bytes, data, fits, most))
		return 0;
	if (fits == bytes)
		return bytes;
	stop(t, WF_NET_TOO_LARGE, "the answer is larger than %zu bytes", most);
	return 0;
}

/* Mail: the next bytes of the message. */
static size_t
on_upload(char *buffer, size_t unit, size_t n, void *arg)
{
	WfNetTransfer *t = arg;
	size_t		bytes = Min(unit * n, t->request.body_bytes - t->uploaded_bytes);

	memcpy(buffer, t->request.body + t->uploaded_bytes, bytes);
	t->uploaded_bytes += bytes;
	return bytes;
}

static int
on_rewind(void *arg, curl_off_t offset, int origin)
{
	WfNetTransfer *t = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t) offset > t->request.body_bytes)
		return CURL_SEEKFUNC_FAIL;
	t->uploaded_bytes = offset;
	return CURL_SEEKFUNC_OK;
}

/* -- headers -- */

/* Is the line the header of this lower-case name? Its value, without white space around it. */
static bool
line_is(const char *line, size_t bytes, const char *name, const char **value, size_t *value_bytes)
{
	size_t		name_bytes = strlen(name);

	if (bytes <= name_bytes || line[name_bytes] != ':')
		return false;
	for (size_t i = 0; i < name_bytes; i++)
		if (pg_ascii_tolower((unsigned char) line[i]) != (unsigned char) name[i])
			return false;
	line += name_bytes + 1;
	bytes -= name_bytes + 1;
	while (bytes > 0 && (*line == ' ' || *line == '\t'))
		line++, bytes--;
	while (bytes > 0 && strchr(" \t\r\n", line[bytes - 1]) != NULL)
		bytes--;
	*value = line;
	*value_bytes = bytes;
	return true;
}

/* The first header of that name among those of the answer; its value is not terminated. */
bool
wf_net_head_find(const WfNetTransfer *t, const char *name, const char **value, size_t *bytes)
{
	const char *line = t->head;
	const char *end = t->head + t->head_bytes;
	const char *next;

	for (; line != NULL && line < end; line = next)
	{
		next = memchr(line, '\n', end - line);
		next = next == NULL ? end : next + 1;
		if (line_is(line, next - line, name, value, bytes))
			return true;
	}
	return false;
}

/*
 * Are all words of the value among these? Others were not asked for, and some (zstd, br) let a server choose how much
 * memory it takes to undo them.
 */
static bool
words_are(const char *value, size_t bytes, const char *const *words)
{
	while (bytes > 0)
	{
		size_t		length = 0;
		int			i;

		while (length < bytes && value[length] != ',' && value[length] != ' ' && value[length] != '\t')
			length++;
		for (i = 0; words[i] != NULL && length > 0; i++)
			if (strlen(words[i]) == length && pg_strncasecmp(words[i], value, length) == 0)
				break;
		if (length > 0 && words[i] == NULL)
			return false;
		value += Min(length + 1, bytes);
		bytes -= Min(length + 1, bytes);
	}
	return true;
}

static bool
encoding_is_known(WfNetTransfer *t, const char *line, size_t bytes)
{
	static const char *const content[] = {"gzip", "x-gzip", "deflate", "identity", NULL};
	static const char *const transfer[] = {"chunked", "identity", NULL};
	const char *value;
	size_t		value_bytes;

	if ((line_is(line, bytes, "content-encoding", &value, &value_bytes) && !words_are(value, value_bytes, content)) ||
		(line_is(line, bytes, "transfer-encoding", &value, &value_bytes) && !words_are(value, value_bytes, transfer)))
	{
		stop(t, WF_NET_BROKEN, "the answer is encoded in a way that was not asked for");
		return false;
	}
	return true;
}

/* A status line: another answer begins. */
static bool
answer_begins(WfNetTransfer *t, const char *line, size_t bytes)
{
	const char *space = memchr(line, ' ', bytes);

	if (++t->n_answers > WF_NET_MAX_ANSWERS)
	{
		stop(t, WF_NET_BROKEN, "there are more than %d answers to one request", WF_NET_MAX_ANSWERS);
		return false;
	}
	t->head_bytes = 0;
	t->head_count = 0;
	t->is_redirect = false;
	t->status = space == NULL || line + bytes - space < 4 ? 0 :
		(space[1] - '0') * 100 + (space[2] - '0') * 10 + (space[3] - '0');
	return true;
}

/* All headers are there. */
static void
answer_is_known(WfNetTransfer *t)
{
	const char *location;
	size_t		bytes;

	t->is_redirect = t->request.max_redirects > 0 &&
		(t->status == 301 || t->status == 302 || t->status == 303 || t->status == 307 || t->status == 308) &&
		wf_net_head_find(t, "location", &location, &bytes);
}

static size_t
on_header(char *line, size_t unit, size_t n, void *arg)
{
	WfNetTransfer *t = arg;
	size_t		bytes = unit * n;
	size_t		most = t->request.max_header_bytes;

	if (t->request.kind == WF_NET_MAIL)
	{
		/* The last line that refuses something is enough. */
		if (bytes == 0 || (line[0] != '4' && line[0] != '5'))
			return bytes;
		t->head_bytes = 0;
		return append(t, &t->head, &t->head_size, &t->head_bytes, line, Min(bytes, 512), 512) ? bytes : 0;
	}
	if (!t->body_begun && bytes > 5 && memcmp(line, "HTTP/", 5) == 0)
		return answer_begins(t, line, bytes) ? bytes : 0;
	if (bytes <= 2 && (line[0] == '\r' || line[0] == '\n'))
	{
		if (!t->body_begun)
			answer_is_known(t);
		return bytes;
	}
	if (bytes > most - t->head_bytes)
	{
		stop(t, WF_NET_TOO_LARGE, "the headers of the answer are larger than %zu bytes", most);
		return 0;
	}
	if (++t->head_count > t->request.max_header_count)
	{
		stop(t, WF_NET_TOO_LARGE, "the answer has more than %d headers", t->request.max_header_count);
		return 0;
	}
	if (!encoding_is_known(t, line, bytes))
		return 0;
	return append(t, &t->head, &t->head_size, &t->head_bytes, line, bytes, most) ? bytes : 0;
}

/* -- their place in a transfer -- */

CURLcode
wf_net_receive_setup(WfNetTransfer *t)
{
	CURLcode	code = CURLE_OK;

#define SET(option, value) \
	do { \
		if (code == CURLE_OK) \
			code = curl_easy_setopt(t->easy, option, value); \
	} while (0)
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, t);
	SET(CURLOPT_PREREQFUNCTION, on_ready);
	SET(CURLOPT_PREREQDATA, t);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
	if (t->request.kind == WF_NET_MAIL)
	{
		SET(CURLOPT_READFUNCTION, on_upload);
		SET(CURLOPT_READDATA, t);
		SET(CURLOPT_SEEKFUNCTION, on_rewind);
		SET(CURLOPT_SEEKDATA, t);
	}
#undef SET
	return code;
}

/* Before a hop: nothing has come yet. Buffers keep their room. */
void
wf_net_receive_reset(WfNetTransfer *t)
{
	t->stopped = false;
	t->n_blocked = 0;
	t->n_opened = 0;
	t->no_descriptor = false;
	t->request_begun = false;
	t->rule[0] = '\0';
	t->status = 0;
	t->n_answers = 0;
	t->answers_before = 0;
	t->body_begun = false;
	t->is_redirect = false;
	t->discarded_bytes = 0;
	t->head_bytes = 0;
	t->head_count = 0;
	t->body_bytes = 0;
	t->uploaded_bytes = 0;
}

/* Gives its buffers back, and its place among its holder's: the last that is done with a transfer. */
void
wf_net_receive_free(WfNetTransfer *t)
{
	count_buffer(t, t->head_size, 0);
	count_buffer(t, t->body_size, 0);
	free(t->head);
	free(t->body);
	t->head = NULL;
	t->body = NULL;
	t->head_size = t->body_size = 0;
	t->head_bytes = t->body_bytes = 0;
	if (--t->holder->n_transfers == 0)
		(void) hash_search(t->net->holders, &t->holder->hash, HASH_REMOVE, NULL);
	t->holder = NULL;
}
