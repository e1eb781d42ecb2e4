/*
 * making.h: what the files share that make a request of its object: its texts with their secrets in them, buffers that
 * wipe themselves. Private to compose.c, address.c, auth.c, body.c, sign.c, mail.c, mime.c, token.c.
 *
 * A making lasts for one call. Functions that return a bool return false once something is wrong, which is in `problem`;
 * then all that was made is thrown away with the memory context that it is in.
 */
#ifndef WF_DISPATCH_MAKING_H
#define WF_DISPATCH_MAKING_H

#include "dispatch/compose.h"
#include "nodes/pg_list.h"

/* -- buffers (buffer.c) -- */

/*
 * Bytes that grow, in the memory context in which they were made; wiped when that goes, and when they move. A NUL follows
 * them, which does not count. What does not fit into an allocation is left out, and `overflown` says so.
 */
typedef struct WfBuffer
{
	char	   *data;
	size_t		bytes;
	size_t		size;
	bool		overflown;
	MemoryContext memory;
	MemoryContextCallback on_reset;
} WfBuffer;

/* `expected` bytes fit before it has to move. */
extern WfBuffer *wf_buffer_make(size_t expected);
extern void wf_buffer_put(WfBuffer *buffer, const char *data, size_t bytes);
extern void wf_buffer_put_text(WfBuffer *buffer, const char *text);
/* Percent-encoded, all but letters, digits and -._~ */
extern void wf_buffer_put_encoded(WfBuffer *buffer, const char *data, size_t bytes);
/* In base64; with lines of so many characters that end with CRLF, or on one line (0) without an end. */
extern void wf_buffer_put_base64(WfBuffer *buffer, const char *data, size_t bytes, int line_chars);
/* The bytes that base64, perhaps with white space, stands for; false when it is none. */
extern bool wf_buffer_put_decoded(WfBuffer *buffer, const char *text, size_t bytes);

/* -- a making (making.c) -- */

/* A text as it is sent. A NUL follows it. */
typedef struct WfText
{
	const char *data;
	size_t		bytes;
	bool		is_secret;		/* a secret's value is in it */
} WfText;

typedef struct WfMaking
{
	const WfCompose *in;
	const JsonbValue *request;
	const char *nonce;			/* of the markers that count; NULL: there are none */
	WfSecretValue *values;		/* of those secrets that the request says are its own; .value NULL: there is none */
	int			n_values;
	WfNetRequest *out;
	WfNetHeader *headers;		/* those of *out, as they come */
	int			headers_size;
	const char *auth_header;	/* that auth sets, so that the config's gives way; or NULL */
	const char *parameter;		/* of the query, encoded, that auth adds; or NULL */
	size_t		filled_bytes;	/* of all texts with secrets in them so far */
	size_t		part_bytes;		/* of all parts of the body so far */
	WfBuffer   *credential;		/* who is asking, for the partition; empty: nobody in particular */
	WfError    *problem;
} WfMaking;

/* False when there is no such request to make: *m is to be used no further. */
extern bool wf_making_begin(WfMaking *m, const WfCompose *in, WfNetRequest *out);
/* Notes what is wrong; false. Nothing of a secret may be in it. */
extern bool wf_making_fail(WfMaking *m, int sqlstate, const char *fmt, ...) pg_attribute_printf(3, 4);
/* The same, of a secret's value or what depends on one: 22023. */
#define wf_making_wrong(m, ...) wf_making_fail((m), ERRCODE_INVALID_PARAMETER_VALUE, __VA_ARGS__)

/*
 * How large a request may be when it is made, and what its texts may take that secrets are put into: no less than what a node may
 * ask for. Beyond it is WF006, which wf_making_too_large notes.
 */
extern size_t wf_making_most_bytes(void);
extern bool wf_making_too_large(WfMaking *m);
/* Fills in the secrets of a text. WF013 for one that has no value, WF006 when it becomes too large. */
extern bool wf_making_fill(WfMaking *m, const char *text, size_t bytes, WfMarkerStyle style, WfText *out);
/* The same of a value that must be a string, as it is. `where` names it. */
extern bool wf_making_text(WfMaking *m, const char *where, const JsonbValue *value, WfText *out);
/* The same, and it holds no control character but tabs. */
extern bool wf_making_line(WfMaking *m, const char *where, const JsonbValue *value, WfText *out);
/* A member of an object, as a line; *out is empty, with data NULL, when it is missing and not required. */
extern bool wf_making_member(WfMaking *m, const JsonbValue *object, const char *object_name, const char *key, bool required,
							 WfText *out);

/* Adds a header; `name` and `value` stay. */
extern void wf_making_add_header(WfMaking *m, const char *name, const char *value, bool is_secret);
extern bool wf_making_has_header(const WfMaking *m, const char *name);
/* What must not be shared with who does not have it. */
extern void wf_making_add_credential(WfMaking *m, const char *text);

/* A number of the request; `otherwise` when there is none. At most INT_MAX. */
extern int	wf_making_int(const JsonbValue *object, const char *key, int otherwise);
/* Time-outs, sizes, the CA file. */
extern void wf_making_limits(WfMaking *m);
/* "<tenant>[ <digest of the credential>]"; false when OpenSSL can't. */
extern bool wf_making_partition(WfMaking *m);

extern char *wf_making_uuid(const pg_uuid_t *uuid);
extern bool wf_making_has_control(const char *text, size_t bytes);
/* 64 hexadecimal digits; NULL when OpenSSL can't. */
extern char *wf_making_sha256(const void *data, size_t bytes);
/* The request's nonce, if it has one that counts. */
extern char *wf_making_nonce(const JsonbValue *request);
/* Does a marker stand in the text? */
extern bool wf_making_is_marked(const char *text, const char *nonce);
/* The text with *** for each marker. */
extern char *wf_making_masked(const char *text, const char *nonce);

/* -- parts of a request -- */

/* The base of an address and its query (address.c): url, and what query and auth add to it. */
extern bool wf_compose_address(WfMaking *m);
/* An address alone, of the member `where`. */
extern bool wf_compose_url(WfMaking *m, const char *where, const JsonbValue *value, WfText *out);
/* The address of the request as it may be shown, with *** for secrets; *path_is_secret: one stands before the query. NULL when
 * there are none in it. */
extern char *wf_compose_shown_address(const JsonbValue *request, bool *path_is_secret);
/* Is what stands before the path of an address a secret, or part of one? */
extern bool wf_compose_hides_host(const char *url, const char *nonce);
/* "host:port" of an address without secrets in it; NULL when it is malformed. */
extern char *wf_compose_host(const char *url, char **path);

/* auth (auth.c) */
extern bool wf_compose_auth(WfMaking *m);
/* The token of auth of type jwt (jwt.c), which is one of the credentials. */
extern bool wf_compose_jwt(WfMaking *m, const JsonbValue *auth, const char **token);
/* body (body.c) */
extern bool wf_compose_body(WfMaking *m);
/* The headers of Standard Webhooks (sign.c), over the body. */
extern bool wf_compose_signature(WfMaking *m);
/* A request of kind mail (mail.c). */
extern bool wf_compose_mail(WfMaking *m);
/* "name:port" of the relay; "none" when there is none. */
extern char *wf_compose_relay(void);

/* -- the texts of a mail (mime.c) -- */

/* `Name: value` with its line end, folded; a text with what is no plain ASCII as encoded words. */
extern void wf_mime_put_text_header(WfBuffer *out, const char *name, const char *text);
/* An address list; `addresses` are `local@domain` or `name <local@domain>`. */
extern void wf_mime_put_address_header(WfBuffer *out, const char *name, const char *const *addresses, int n);
/* `local@domain` of an address. */
extern char *wf_mime_mailbox(const char *address);
/* `; name="value"`, or as RFC 2231 has it. */
extern void wf_mime_put_parameter(WfBuffer *out, const char *name, const char *value);
/* A text as an entity: Content-Type, Content-Transfer-Encoding, an empty line, the text with CRLF. What ends its last line is not added. */
extern void wf_mime_put_text_entity(WfBuffer *out, const char *content_type, const char *text, size_t bytes);
/* `Date` of RFC 5322, in UTC. */
extern char *wf_mime_date(int64 unix_ms);

#endif
