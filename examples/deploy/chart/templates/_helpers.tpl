{{- define "ws.name" -}}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{- end }}
{{- define "ws.account" -}}{{ .Values.serviceAccount.name | default (include "ws.name" .) }}{{- end }}
{{- define "ws.selector" -}}
app.kubernetes.io/name: webhook-service
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}
{{- define "ws.labels" -}}
{{ include "ws.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- define "ws.image" -}}
{{- $repository := required "image.repository: say where your image of webhook-service is" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}
{{- else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}
{{- define "ws.check" -}}
{{- if eq .Values.database "sqlite" }}
{{- if or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled (gt (int .Values.workers.replicas) 0) }}
{{- fail "several pods need one database: set database: postgresql, and replicas: 1 with sqlite" }}{{ end }}
{{- else }}
{{- if not .Values.postgresql.existingSecret }}{{ fail "postgresql.existingSecret: name a Secret with the key url" }}{{ end }}
{{- if not .Values.secretKey.existingSecret }}{{ fail "secretKey.existingSecret: name a Secret with the key secretKey, which all pods share" }}{{ end }}
{{- end }}
{{- if and (gt (int .Values.workers.replicas) 0) (not .Values.workers.existingSecret) }}
{{- fail "workers.existingSecret: name a Secret with the key url, the broker's" }}{{ end }}
{{- if .Values.operator.enabled }}
{{- if not .Values.targets }}{{ fail "operator: name the namespaces whose Receivers count in targets" }}{{ end }}
{{- if not .Values.settings.BASE_URL }}{{ fail "operator: settings.BASE_URL must say where senders reach the service" }}{{ end }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}{{ fail "ingress.host: say by which name senders call" }}{{ end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}{{ fail "httpRoute.parentRefs: name the Gateway" }}{{ end }}
{{- if gt (int .Values.autoscaling.min) (int .Values.autoscaling.max) }}{{ fail "autoscaling.min: it is more than autoscaling.max" }}{{ end }}
{{- /* The last one of two would win, and Helm loses one of them at an upgrade. */ -}}
{{- $named := dict }}
{{- range include "ws.env" . | fromYamlArray }}
{{- if hasKey $named .name }}
{{- fail (printf "%s is set twice: take it out of settings or extraEnv; what the chart itself sets has a value of its own, such as console or ipv6" .name) }}{{ end }}
{{- $_ := set $named .name true }}
{{- end }}
{{- end }}
{{- define "ws.everywhere" -}}{{ .Values.ipv6 | ternary "[::]" "0.0.0.0" }}{{- end }}
{{- define "ws.scheme" -}}{{ if .Values.tls.existingSecret }}HTTPS{{ else }}HTTP{{ end }}{{- end }}
{{- define "ws.paths" -}}
{{- /* What is published: the links in messages lead to the console, where there is one. */ -}}
{{- $paths := last . }}
{{- if (first .).Values.console }}{{ $paths = append $paths "/console" | uniq }}{{ end -}}
{{ toJson $paths }}
{{- end }}
{{- define "ws.grants" -}}
{{- $namespaces := list }}{{ range .Values.targets }}{{ $namespaces = append $namespaces .namespace }}{{ end -}}
{{- $namespaces = uniq $namespaces -}}
{{- if .Values.operator.enabled }}
{{- $grants := dict }}{{ range $namespaces }}{{ $_ := set $grants . (list (printf "default/%s" .)) }}{{ end -}}
{{ $grants | toJson }}
{{- else }}
{{- dict "*" $namespaces | toJson }}
{{- end }}
{{- end }}
{{- define "ws.env" -}}
- {name: HOME, value: /tmp}
- {name: WEBHOOK_SERVICE_LISTEN, value: "{{ include "ws.everywhere" . }}:8085"}
- {name: WEBHOOK_SERVICE_METRICS_LISTEN, value: "{{ include "ws.everywhere" . }}:9090"}
- {name: WEBHOOK_SERVICE_LOG_FORMAT, value: {{ .Values.settings.LOG_FORMAT | default "json" | quote }}}
{{- if not .Values.settings.NAMESPACES }}
- {name: WEBHOOK_SERVICE_NAMESPACES, value: {{ include "ws.grants" . | quote }}}
{{- end }}
{{- if .Values.console }}
- {name: WEBHOOK_SERVICE_CONSOLE, value: "true"}
{{- end }}
{{- if eq .Values.database "sqlite" }}
- {name: WEBHOOK_SERVICE_DATABASE_URL, value: "sqlite:////data/webhook-service.db"}
{{- else }}
- name: WEBHOOK_SERVICE_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.postgresql.existingSecret | quote }}, key: url}}
{{- end }}
{{- with .Values.secretKey.existingSecret }}
- name: WEBHOOK_SERVICE_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: secretKey}}
{{- end }}
{{- if gt (int .Values.workers.replicas) 0 }}
- {name: WEBHOOK_SERVICE_ENGINE, value: celery}
- name: WEBHOOK_SERVICE_BROKER_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.workers.existingSecret | quote }}, key: url}}
{{- end }}
{{- if .Values.tls.existingSecret }}
- {name: WEBHOOK_SERVICE_TLS_CERT, value: /tls/tls.crt}
- {name: WEBHOOK_SERVICE_TLS_KEY, value: /tls/tls.key}
{{- end }}
{{- range $name, $value := omit .Values.settings "LOG_FORMAT" }}
- {name: WEBHOOK_SERVICE_{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- define "ws.confined" -}}
{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}
{{- define "ws.container" -}}
image: {{ include "ws.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{ include "ws.confined" . }}
env:
  {{- include "ws.env" . | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if eq .Values.database "sqlite" }}
  - {name: data, mountPath: /data}
  {{- end }}
  {{- if .Values.tls.existingSecret }}
  - {name: tls, mountPath: /tls, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources: {{ toJson .Values.resources }}
{{- end }}
{{- define "ws.placed" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
nodeSelector: {{ toJson .Values.nodeSelector }}
tolerations: {{ toJson .Values.tolerations }}
affinity: {{ toJson .Values.affinity }}
{{- end }}
{{- define "ws.pod" -}}
serviceAccountName: {{ include "ws.account" . | quote }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
terminationGracePeriodSeconds: 30
{{ include "ws.placed" . }}
volumes:
  - {name: tmp, emptyDir: {}}
  {{- if .Values.tls.existingSecret }}
  - {name: tls, secret: {secretName: {{ .Values.tls.existingSecret | quote }}}}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- define "ws.operator" -}}
name: operator
args: [operator, run, --interval, {{ .Values.operator.intervalSeconds | quote }}, --liveness, "{{ include "ws.everywhere" . }}:8086"]
{{ include "ws.container" . }}
ports:
  - {name: alive, protocol: TCP, containerPort: 8086}
livenessProbe:
  httpGet: {path: /healthz, port: alive}
  initialDelaySeconds: 30
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}
