/*
 * request.h: what came with a request: its method, headers and body.
 *
 * All of it is a stranger's. What is malformed is a problem, a message for the owner of the trigger; nothing here throws but
 * for memory. Results are in CurrentMemoryContext.
 */
#ifndef WF_HOOK_REQUEST_H
#define WF_HOOK_REQUEST_H

#include "postgres.h"
#include "utils/jsonb.h"

#define WF_HOOK_HEADERS 256		/* values, of all headers */
#define WF_HOOK_HEADERS_BYTES (64 * 1024)	/* of all names and values */
#define WF_HOOK_BODY_BYTES (64 * 1024 * 1024)	/* beyond it nothing is looked at; a setting may allow less */
#define WF_HOOK_FORM_FIELDS 1000

/* GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS, in capital letters whatever the case of `name`; NULL: none of them. */
extern const char *wf_hook_method(const char *name);

/* -- headers (headers.c) -- */

/* Names in small letters, values without white space around them. */
typedef struct WfHookHeaders WfHookHeaders;

/* Of {name: text or [text, ...]}; JSON's null and NULL are no headers. NULL, with *problem, when that is something else or too
 * large. */
extern WfHookHeaders *wf_hook_headers(const JsonbValue *object, const char **problem);
/* How often it came; `name` in small letters. */
extern int	wf_hook_header_count(const WfHookHeaders *headers, const char *name);
/* Its value, ended by a NUL; NULL unless it came exactly once. */
extern const char *wf_hook_header(const WfHookHeaders *headers, const char *name);
/* {name in small letters: text, or [text, ...] for what came more than once} */
extern Jsonb *wf_hook_headers_json(const WfHookHeaders *headers);

/* -- the body (body.c) -- */

/*
 * The body as a value, as its content type says; NULL, with *problem, when it is not what that says.
 *
 *   application/json, text/json, anything +json    JSON
 *   application/x-www-form-urlencoded    {name: text, or [text, ...] for what is there more than once}
 *   text/anything    text, which is UTF-8
 *   anything else, or no content type    base64 in one line; multipart is not taken apart
 *   nothing at all    null
 */
extern Jsonb *wf_hook_body(const WfHookHeaders *headers, const char *body, size_t bytes, const char **problem);

#endif
