// The console: gRPC-Web, Element Plus, all pages for PCs and the wall.
import { createApp } from 'vue'
import '../style/tokens.css'
import '../style/base.css'
import 'element-plus/es/components/message/style/css'
import '../style/element.css'
import { travel } from '../api/call'
import * as grpc from '../api/grpc'
import App from './App.vue'
import { router } from './router'
import { begin } from './settings'

travel(grpc)
begin()
createApp(App).use(router).mount('#app')
