package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// Mount puts the API on a router, which answers errors as the contract has them from then on. What is not listed here
// does not exist: 404. A resource has one handler, whatever the scopes at which it is mounted.
func (a *API) Mount(e *echo.Echo) {
	e.HTTPErrorHandler = a.fail
	e.GET(errorsPath, a.explainErrors)
	e.GET(downloadsPath+":token", a.download)
	e.HEAD(downloadsPath+":token", a.download)

	organization := scope{a, e, "/v0", a.everywhere}
	pod := scope{a, e, "/v0/pods/:pod_id", a.inPod}
	inbox := scope{a, e, "/v0/inboxes/:inbox_id", a.inInbox}

	organization.get("/organizations", a.getOrganization)
	organization.get("/auth/me", a.me)

	e.POST("/v0/agent/sign-up", a.signUp)
	organization.post("/agent/verify", a.verifySignUp)

	organization.get("/pods", a.listPods)
	organization.post("/pods", a.createPod)
	organization.get("/pods/:pod_id", a.getPod)
	organization.delete("/pods/:pod_id", a.deletePod)

	pod.get("/limits", a.getPodLimits)
	pod.patch("/limits", a.updatePodLimits)
	pod.delete("/limits", a.deletePodLimits)

	for _, at := range []scope{organization, pod} {
		at.get("/inboxes", a.listInboxes)
		at.post("/inboxes", a.createInbox)
		at.get("/inboxes/search", a.searchInboxes)
		at.get("/inboxes/:inbox_id", a.getInbox)
		at.patch("/inboxes/:inbox_id", a.updateInbox)
		at.delete("/inboxes/:inbox_id", a.deleteInbox)
		at.get("/inboxes/:inbox_id/forwarding", a.getForwarding)
		at.put("/inboxes/:inbox_id/forwarding", a.setForwarding)
		at.delete("/inboxes/:inbox_id/forwarding", a.removeForwarding)
	}

	// Of AgentMail's hosted sign-in service, which is not here.
	organization.post("/inboxes/:inbox_id/authorize", a.authorizeInbox)
	organization.get("/accounts", nothing("accounts"))
	organization.get("/accounts/:account_id", a.getAccount)
	organization.get("/providers", nothing("providers"))
	organization.get("/providers/search", nothing("providers"))
	organization.get("/providers/:provider_id", a.getProvider)
	organization.get("/providers/:provider_id/accounts", a.getProvider)
	organization.post("/providers/:provider_id/connect", a.connectProvider)

	for _, at := range []scope{organization, pod} {
		at.get("/domains", a.listDomains)
		at.post("/domains", a.createDomain)
		at.get("/domains/:domain_id", a.getDomain)
		at.patch("/domains/:domain_id", a.updateDomain)
		at.delete("/domains/:domain_id", a.deleteDomain)
		at.post("/domains/:domain_id/verify", a.verifyDomain)
		at.post("/domains/:domain_id/rotate-keys", a.rotateKeys)
		at.get("/domains/:domain_id/zone-file", a.getZoneFile)
		at.get("/domains/:domain_id/setup-link", a.getSetupLink)
		at.get("/domains/:domain_id/dmarc-reports", a.listDMARCReports)
		at.get("/domains/:domain_id/tls-reports", a.listTLSReports)
	}

	organization.get("/api-keys/:api_key_id", a.getAPIKey)
	for _, at := range []scope{organization, pod, inbox} {
		at.get("/api-keys", a.listAPIKeys)
		at.post("/api-keys", a.createAPIKey)
		at.patch("/api-keys/:api_key_id", a.updateAPIKey)
		at.delete("/api-keys/:api_key_id", a.deleteAPIKey)
	}

	for _, at := range []scope{organization, pod, inbox} {
		at.get("/metrics", a.queryEvents) // as older clients spell it
		at.get("/metrics/events", a.queryEvents)
		at.get("/metrics/usage", a.queryUsage)
	}

	inbox.get("/messages", a.listMessages)
	inbox.get("/messages/search", a.searchMessages)
	inbox.post("/messages/send", a.send)
	inbox.post("/messages/batch-get", a.batchGetMessages)
	inbox.post("/messages/batch-update", a.batchUpdateMessages)
	inbox.get("/messages/:message_id", a.getMessage)
	inbox.patch("/messages/:message_id", a.updateMessage)
	inbox.delete("/messages/:message_id", a.deleteMessage)
	inbox.get("/messages/:message_id/raw", a.getRawMessage)
	inbox.get("/messages/:message_id/authentication", a.explainMessage)
	inbox.get("/messages/:message_id/deliveries", a.listDeliveriesOfMessage)
	inbox.get("/messages/:message_id/attachments/:attachment_id", a.getMessageAttachment)
	inbox.post("/messages/:message_id/reply", a.reply)
	inbox.post("/messages/:message_id/reply-all", a.replyAll)
	inbox.post("/messages/:message_id/forward", a.forward)
	inbox.get("/events", a.listInboxEvents)

	for _, at := range []scope{organization, pod, inbox} {
		at.get("/lists/:direction/:type", a.listListEntries)
		at.post("/lists/:direction/:type", a.createListEntry)
		at.get("/lists/:direction/:type/:entry", a.getListEntry)
		at.delete("/lists/:direction/:type/:entry", a.deleteListEntry)
		at.get("/exports/lists/:direction/:type", a.exportList)
	}

	for _, at := range []scope{organization, pod, inbox} {
		at.get("/webhooks", a.listWebhooks)
		at.post("/webhooks", a.createWebhook)
		at.get("/webhooks/:webhook_id", a.getWebhook)
		at.patch("/webhooks/:webhook_id", a.updateWebhook)
		at.delete("/webhooks/:webhook_id", a.deleteWebhook)
		at.get("/webhooks/:webhook_id/headers", a.getWebhookHeaders)
		at.patch("/webhooks/:webhook_id/headers", a.updateWebhookHeaders)
		at.get("/webhooks/:webhook_id/deliveries", a.listWebhookDeliveries)
		at.get("/webhooks/:webhook_id/deliveries/:delivery_id", a.getWebhookDelivery)
		at.post("/webhooks/:webhook_id/deliveries/:delivery_id/replay", a.replayWebhookDelivery)
	}

	for _, at := range []scope{organization, pod, inbox} {
		at.get("/queue", a.listQueue)
		at.get("/queue/:queued_id", a.getQueued)
		at.post("/queue/:queued_id/retry", a.controlQueued((*server.Server).RetryDelivery))
		at.post("/queue/:queued_id/hold", a.controlQueued((*server.Server).HoldDelivery))
		at.post("/queue/:queued_id/release", a.controlQueued((*server.Server).ReleaseDelivery))
		at.post("/queue/:queued_id/drop", a.controlQueued((*server.Server).DropDelivery))
	}

	organization.get("/queue/pauses", a.listPauses)
	organization.post("/queue/pauses", a.createPause)
	organization.delete("/queue/pauses/:kind/:name", a.deletePause)
	pod.get("/queue/pauses", a.listPauses)
	inbox.get("/queue/pauses", a.listPauses)

	organization.get("/routes", a.listMailRoutes)
	organization.patch("/routes/:kind/:name", a.updateMailRoute)
	organization.delete("/routes/:kind/:name", a.deleteMailRoute)

	organization.get("/trace/:message_id", a.traceMessage)

	for _, at := range []scope{organization, pod, inbox} {
		at.get("/drafts", a.listDrafts)
		at.get("/drafts/:draft_id", a.getDraft)
		at.get("/drafts/:draft_id/attachments/:attachment_id", a.getDraftAttachment)
	}
	inbox.post("/drafts", a.createDraft)
	inbox.patch("/drafts/:draft_id", a.updateDraft)
	inbox.delete("/drafts/:draft_id", a.deleteDraft)
	inbox.post("/drafts/:draft_id/send", a.sendDraft)

	for _, at := range []scope{organization, pod, inbox} {
		at.get("/threads", a.listThreads)
		at.get("/threads/search", a.searchThreads)
		at.get("/threads/:thread_id", a.getThread)
		at.patch("/threads/:thread_id", a.updateThread)
		at.delete("/threads/:thread_id", a.deleteThread)
		at.get("/threads/:thread_id/attachments/:attachment_id", a.getThreadAttachment)
	}
}

// scope is where resources are mounted: a path prefix, and how it narrows a caller's grant.
type scope struct {
	api    *API
	echo   *echo.Echo
	prefix string
	narrow func(echo.Context, mail.Grant) (mail.Grant, error)
}

func (s scope) get(path string, h handler)    { s.add(http.MethodGet, path, h) }
func (s scope) post(path string, h handler)   { s.add(http.MethodPost, path, h) }
func (s scope) put(path string, h handler)    { s.add(http.MethodPut, path, h) }
func (s scope) patch(path string, h handler)  { s.add(http.MethodPatch, path, h) }
func (s scope) delete(path string, h handler) { s.add(http.MethodDelete, path, h) }

// add mounts h behind authentication and the scope's narrowing.
func (s scope) add(method, path string, h handler) {
	s.echo.Add(method, s.prefix+path, func(c echo.Context) error {
		g, err := s.api.authenticate(c)
		if err != nil {
			return err
		}
		if g, err = s.narrow(c, g); err != nil {
			return err
		}
		return h(c, g)
	})
}
