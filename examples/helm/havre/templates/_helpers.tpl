{{- define "havre.name" -}}
{{- if contains "havre" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-havre" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "havre.selector" -}}
app.kubernetes.io/name: havre
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "havre.labels" -}}
{{ include "havre.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "havre.secret" -}}
{{- .Values.existingSecret | default (include "havre.name" .) }}
{{- end }}

{{- define "havre.hasSecret" -}}
{{- if or .Values.existingSecret .Values.secretSettings .Values.secretEnvironment }}yes{{ end }}
{{- end }}

{{- define "havre.pod" -}}
metadata:
  labels:
    {{- include "havre.labels" . | nindent 4 }}
  annotations:
    # Other settings are other pods.
    checksum/settings: {{ printf "%s%s%s" (toJson .Values.settings) (toJson .Values.secretSettings) (toJson .Values.secretEnvironment) | sha256sum }}
    prometheus.io/scrape: "true"
    prometheus.io/path: /metrics
    prometheus.io/port: "5000"
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Five seconds until nobody sends requests here any more, forty at most for those under way.
  terminationGracePeriodSeconds: 60
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: havre
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      ports:
        - name: http
          containerPort: 5000
      envFrom:
        - configMapRef:
            name: {{ include "havre.name" . }}
        {{- if include "havre.hasSecret" . }}
        - secretRef:
            name: {{ include "havre.secret" . }}
        {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      lifecycle:
        preStop:
          sleep:
            seconds: 5
      # The first start brings the database to its schema, which may take minutes.
      startupProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 2
        failureThreshold: 150
      # Does it answer at all? Says nothing of the database, whose failure no restart would mend.
      livenessProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Can it do its work? Asks the database and the storage, and answers within three seconds.
      readinessProbe:
        httpGet:
          path: /readyz
          port: http
        periodSeconds: 5
        timeoutSeconds: 4
        failureThreshold: 2
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: data
          mountPath: /data
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if eq .Values.form "replicated" }}
    # Pictures and letters of this pod; nothing that would be missed.
    - name: data
      emptyDir: {}
    {{- end }}
  {{- if eq .Values.form "replicated" }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "havre.selector" . | nindent 10 }}
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "havre.selector" . | nindent 10 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
