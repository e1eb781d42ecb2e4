/*
 * tenant.h: who may manage a tenant. Private to this room.
 */
#ifndef WF_API_TENANT_H
#define WF_API_TENANT_H

#include "api/api.h"
#include "store/store.h"

/*
 * The tenant of this name, if current_user has `team:manage` there, for all workflows; throws 42501, the same for a tenant that
 * does not exist. Needs an SPI connection.
 */
extern void wf_api_require_manager(const char *name, WfTenant *tenant);
/* The same, with no change of the tenant or its members by anybody else until the transaction ends. */
extern void wf_api_require_only_manager(const char *name, WfTenant *tenant);

#endif
