/*
 * answer.h: what the files share that read answers; private to answer.c, answer_body.c, token.c.
 */
#ifndef WF_DISPATCH_ANSWER_H
#define WF_DISPATCH_ANSWER_H

#include "dispatch/compose.h"

typedef enum WfBodyState
{
	WF_BODY_READ,
	WF_BODY_NOT_JSON,			/* and it had to be */
	WF_BODY_TOO_LARGE,			/* for a value of jsonb: its size, its nesting, its numbers */
} WfBodyState;

/* The body as responseType says (NULL: auto), masked, in CurrentMemoryContext. */
extern WfBodyState wf_answer_body(WfNetResult *result, const char *response_type, const WfMask *mask, Jsonb **out);

/* JSON in UTF-8 as it came, perhaps not quite valid; NULL as wf_json_guarded. */
extern Jsonb *wf_answer_parse(const char *body, size_t bytes, int *sqlstate);

/* Bytes as a text of this database, ended by a NUL, in CurrentMemoryContext. charset: what the content type says, or NULL. */
extern char *wf_answer_text(const char *bytes, size_t n, const char *charset, size_t *out_bytes);
/* The same of a header's value: UTF-8, else ISO 8859-1. */
extern char *wf_answer_header_text(const char *value);
/* The charset of a content type; NULL when it has none. */
extern char *wf_answer_charset(const char *content_type);

/* "host[:port]" of an address that net/ has written; NULL when there is none. */
extern char *wf_answer_host(const char *url);
/* By its kind, is it worth another attempt? */
extern bool wf_answer_is_retryable(const WfNetResult *result);

#endif
